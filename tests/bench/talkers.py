"""Models that talk frame by frame beside mlx-audio's: how long a frame takes, and what it launches and reads.

The talker of Qwen3-TTS at 1 to 8 requests is here, Higgs Audio 3 and Moshi in files of their own. Both sides have the
same small random weights. The talker has no text and no codec: only frame after frame of codes, drawn with the same
settings. Its peer is mlx-audio's batch session, which gives sound at the end only.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import frames
import mlx.core as mx
import numpy as np
import talkers_higgs
import talkers_moshi
from report import show
from support import tiny_talker
from support.frame_steps import step
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
DRAWING = Drawing(0.9, 50, 1.0, 1.05, 0.9, 50, 1.0, 0, None)
HEADS = {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 64}
TIMED = {**HEADS, "hidden_size": 512, "intermediate_size": 1536}
SMALL = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
COUNTED = {**SMALL, "hidden_size": 64, "intermediate_size": 64}
"""Counts do not depend on widths, and small ones are counted sooner."""


def ours(folder: Path, requests: int, pipelined: bool) -> frames.Stepper:
    config = read_shape(folder)
    talker = fill(Talker(config.shape), split(read_weights(folder))[0])
    talker.join()
    loop = FrameLoop(talker, config, talker.codec_head.weight.dtype, fused=False, pipelined=pipelined)
    writer = PromptWriter(config, ids, PromptVoice(code=config.voices["ryan"]))
    prompt = writer.write(TextPart(ids(TEXT), ended=True))
    rows = [FrameRow(DRAWING, random=np.random.default_rng(number)) for number in range(requests)]
    for row in rows:
        loop.join(row)
        row.goes_on = True
        loop.read(row, talker.embed(prompt), last=True)
    pad = [config.text.pad] * requests
    return lambda: step(loop, rows, pad)


class Letters:
    """What the peer needs of a tokenizer."""

    def encode(self, text: str, **_: Any) -> list[int]:
        return ids(text)


def peer(folder: Path, requests: int) -> frames.Stepper:
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
    step: frames.Stepper = session.step
    return step


def systems(folder: Path, requests: int, pipelined: bool = False) -> frames.Systems:
    """`pipelined`: as on a GPU."""
    return {"ours": partial(ours, folder, requests, pipelined), "mlx-audio": partial(peer, folder, requests)}


def write(folder: Path, sizes: dict[str, int], layers: int, dtype: mx.Dtype) -> Path:
    """A model with as many layers as the published ones have in the predictor, and `layers` of the talker's 28."""
    plain = tiny_talker.config("custom_voice", "0b6", sizes["hidden_size"])
    talker = plain["talker_config"]
    talker |= {**sizes, "num_hidden_layers": layers, "rope_scaling": None}
    talker["code_predictor_config"] |= {**sizes, "num_hidden_layers": 5}
    return tiny_talker.write(folder, "custom_voice", said=plain, dtype=dtype)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round instead of five")
    parser.add_argument("--counts", action="store_true", help="counts alone, which are the same on every machine")
    options = parser.parse_args()
    rounds = 0 if options.counts else 1 if options.quick else 5
    with tempfile.TemporaryDirectory() as name:
        place, rows = Path(name), []
        if rounds:
            wide = write(place / "wide", TIMED, 9, mx.float32)
            for requests in REQUESTS:
                what = f"Qwen3-TTS's talker, {requests} requests: a frame of all"
                rows.append(frames.timed(what, systems(wide, requests), rounds))
        narrow = write(place / "narrow", COUNTED, 28, mx.bfloat16)
        for requests, named in ((1, "1 request"), (4, "4 requests")):
            rows += frames.counted(f"Qwen3-TTS's talker, {named}", systems(narrow, requests, pipelined=True))
        rows += talkers_higgs.rows()
        rows += talkers_moshi.rows(place, rounds)
    show("Frames of models that talk, small random weights", rows)


if __name__ == "__main__":
    main()
