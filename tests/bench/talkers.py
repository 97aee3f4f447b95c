"""The talker of Qwen3-TTS beside mlx-audio's: frames a second at 1 to 8 requests, and what a frame launches and reads.

Both have the same small random weights, no text and no codec: only frame after frame of codes, drawn with the same
settings. The peer is its batch session, which gives sound at the end only. Rounds of both take turns. Counts are those
of `graphs.Watch` with nothing compiled, so each elementwise operation counts as a kernel on both sides.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphs
import mlx.core as mx
import numpy as np
from report import Row, show
from support import tiny_talker
from support.talker_cases import ids

from speechmlx.engines.qwen3_tts.frames import FrameLoop, FrameRow
from speechmlx.engines.qwen3_tts.loading import fill, split
from speechmlx.engines.qwen3_tts.prompt import PromptVoice, PromptWriter
from speechmlx.engines.qwen3_tts.shape import read_shape
from speechmlx.engines.qwen3_tts.talker import Talker
from speechmlx.engines.qwen3_tts.text import TextPart
from speechmlx.engines.qwen3_tts.wishes import Drawing
from speechmlx.engines.weights import read_config, read_weights

TEXT = "Bring a warm coat, because the wind by the sea is cold in spring."
REQUESTS = (1, 2, 4, 8)
FRAMES = 12
DRAWING = Drawing(0.9, 50, 1.0, 1.05, 0.9, 50, 1.0, 0, None)
HEADS = {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64}
TIMED = {**HEADS, "hidden_size": 512, "intermediate_size": 1536}
SMALL = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
COUNTED = {**SMALL, "hidden_size": 64, "intermediate_size": 64}
"""Counts do not depend on widths, and small ones are counted sooner."""

Stepper = Callable[[], object]
"""Gives the next frame of all requests."""


def ours(folder: Path, requests: int) -> Stepper:
    config = read_shape(folder)
    talker = fill(Talker(config.shape), split(read_weights(folder))[0])
    loop = FrameLoop(talker, config, mx.float32, fused=False)
    writer = PromptWriter(config, ids, PromptVoice(code=config.voices["ryan"]))
    prompt = writer.write(TextPart(ids(TEXT), ended=True))
    rows = [FrameRow(DRAWING, np.random.default_rng(number)) for number in range(requests)]
    for row in rows:
        loop.join(row)
        row.goes_on = True
        loop.read(row, talker.embed(prompt), last=True)
    pad = [config.text.pad] * requests
    return lambda: loop.step(rows, pad)


class Letters:
    """What the peer needs of a tokenizer."""

    def encode(self, text: str, **_: Any) -> list[int]:
        return ids(text)


def peer(folder: Path, requests: int) -> Stepper:
    from mlx_audio.tts.continuous import TTSBatchItem, TTSBatchOptions
    from mlx_audio.tts.models.qwen3_tts.qwen3_tts import Model, ModelConfig

    model = Model(ModelConfig.from_dict(read_config(folder)))
    model.load_weights(list(model.sanitize(read_weights(folder)).items()), strict=False)
    model.eval()
    model.tokenizer, model.speech_tokenizer = Letters(), object()
    options = TTSBatchOptions(max_batch_size=requests, max_tokens=10_000, temperature=0.9, top_k=50, top_p=1.0,
                              repetition_penalty=1.05)  # fmt: skip
    session = model.create_tts_batch_session(options)
    session.eos_token_id, session.suppress_tokens = 64, list(range(64, 64 + 1024))  # all go on
    session.add([TTSBatchItem(sequence_id=number, text=TEXT, voice="ryan") for number in range(requests)])
    session.step()
    step: Stepper = session.step
    return step


SYSTEMS = {"ours": ours, "mlx-audio": peer}


def counts(folder: Path, make: Callable[[Path, int], Stepper], requests: int) -> graphs.Counts:
    """What one frame launches and reads."""
    mx.disable_compile()
    try:
        with graphs.Watch() as watch:
            step = make(folder, requests)
            for _ in range(2):
                step()
            watch.take()
            step()
            return watch.take()
    finally:
        mx.enable_compile()


def seconds(step: Stepper) -> float:
    start = time.perf_counter()
    for _ in range(FRAMES):
        step()
    return (time.perf_counter() - start) / FRAMES


def write(folder: Path, sizes: dict[str, int]) -> Path:
    """A model with as many layers as the published ones have in the predictor, and a third of the talker's."""
    plain = tiny_talker.config("custom_voice", "0b6", sizes["hidden_size"])
    talker = plain["talker_config"]
    talker |= {**sizes, "num_hidden_layers": 9, "rope_scaling": None}
    talker["code_predictor_config"] |= {**sizes, "num_hidden_layers": 5}
    return tiny_talker.write(folder, "custom_voice", said=plain)


def timed(folder: Path, requests: int, rounds: int) -> Row:
    """A frame of all requests, in milliseconds; rounds of both systems take turns."""
    steps = {name: make(folder, requests) for name, make in SYSTEMS.items()}
    for step in steps.values():
        seconds(step)
    times = [{name: seconds(step) for name, step in steps.items()} for _ in range(rounds)]
    mine, theirs = (statistics.median(one[name] for one in times) for name in SYSTEMS)
    return Row(f"{requests} requests: a frame of all", mine * 1000, "ms", theirs * 1000, "mlx-audio")


def counted(folder: Path, requests: int) -> list[Row]:
    mine, theirs = (counts(folder, make, requests) for make in SYSTEMS.values())
    return [
        Row(f"{requests} requests: kernels a frame", mine.total, "", theirs.total, "mlx-audio"),
        Row(f"{requests} requests: host reads a frame", mine.reads, "", theirs.reads, "mlx-audio"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round instead of five")
    parser.add_argument("--counts", action="store_true", help="counts alone, which are the same on every machine")
    options = parser.parse_args()
    rows = list[Row]()
    with tempfile.TemporaryDirectory() as place:
        wide, narrow = (Path(place) / name for name in ("wide", "narrow"))
        if not options.counts:
            write(wide, TIMED)
            rows += [timed(wide, requests, 1 if options.quick else 5) for requests in REQUESTS]
        rows += counted(write(narrow, COUNTED), 1)
    show("Qwen3-TTS's talker, small random weights", rows)


if __name__ == "__main__":
    main()
