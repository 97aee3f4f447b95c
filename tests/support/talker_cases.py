"""Qwen3-TTS's talker at small random weights, which come from their names as in scripts/parity/qwen3_tts_talker.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from numpy.typing import NDArray
from support.frame_steps import step

from speechmlx.engines.qwen3_tts.frames import FrameLoop, FrameRow
from speechmlx.engines.qwen3_tts.prompt import PromptVoice, PromptWriter
from speechmlx.engines.qwen3_tts.shape import QwenTtsConfig, read_shape
from speechmlx.engines.qwen3_tts.talker import Talker
from speechmlx.engines.qwen3_tts.text import TextPart
from speechmlx.engines.qwen3_tts.wishes import Drawing

DATA = Path(__file__).parents[1] / "engines/data/qwen3_tts_talker.json"
LETTERS = {"assistant\n": [201, 202], "user\n": [203, 202], "\n": [202]}
GREEDY = Drawing(0.0, 50, 1.0, 1.05, 0.0, 50, 1.0, 0, None)


def ids(text: str) -> list[int]:
    """The tokens of the cases."""
    return LETTERS.get(text) or [ord(letter) % 200 for letter in text]


def weight(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A weight of the talker, by its name."""
    values = np.random.RandomState(crc32(name.encode())).standard_normal(shape)
    if len(shape) == 1:
        return 1 + 0.1 * values if "norm" in name else 0.1 * values
    return values * (0.7 if "embedding" in name else 1.5 / np.sqrt(shape[-1]))


def filled(talker: Talker) -> Talker:
    """`talker` with the weights of the cases, in float32."""
    shapes = {name: array.shape for name, array in tree_flatten(talker.parameters())}
    talker.load_weights([(name, mx.array(weight(name, shape).astype(np.float32))) for name, shape in shapes.items()])
    talker.eval()
    return talker


class TalkerCase:
    """One case of the reference, on the talker that `config` describes."""

    def __init__(self, case: dict[str, Any], config: QwenTtsConfig) -> None:
        self.codes = np.array(case["codes"], np.int32)
        self.states = np.array(case["states"], np.float32)
        self.part = TextPart(ids(case["text"]), ended=True)
        self.config = config
        language = case.get("language")
        code = config.languages[language] if language else None
        voice = PromptVoice(code=config.voices[case["voice"]] if "voice" in case else None)
        if not language and case.get("voice") in config.dialects:
            code = config.languages[config.dialects[case["voice"]]]
        if case.get("speaker"):
            voice = self._recording(case, config)
        instructions = case.get("instruct", "")
        self.writer = PromptWriter(
            config, ids, voice, language=code, instructions=instructions, dual=case.get("dual", False)
        )

    def _recording(self, case: dict[str, Any], config: QwenTtsConfig) -> PromptVoice:
        random = np.random.RandomState(crc32(case["text"].encode()))
        vector = mx.array(random.standard_normal(config.shape.talker.hidden).astype(np.float32))
        frames = random.randint(0, 64, (case.get("ref_frames", 0), 16)).astype(np.int32).T
        if "ref" not in case:
            return PromptVoice(vector=vector)
        return PromptVoice(vector=vector, frames=frames, text=tuple(ids(case["ref"])))


class Speaking:
    """A case at work in a loop."""

    def __init__(self, loop: FrameLoop, talker: Talker, case: TalkerCase, drawing: Drawing, piece: int) -> None:
        self.loop, self.case = loop, case
        self.row = FrameRow(drawing, random=np.random.Generator(np.random.PCG64(drawing.seed)))
        self.codes: list[NDArray[np.int32]] = []
        self.states: list[NDArray[np.float32]] = []
        self.ended = False
        loop.join(self.row)
        prompt = case.writer.write(case.part)
        self.at = prompt.taken
        rows = talker.embed(prompt)
        for start in range(0, len(prompt), piece):
            loop.read(self.row, rows[start : start + piece], last=start + piece >= len(prompt))

    @property
    def text(self) -> int:
        token = self.case.writer.line(self.case.part, self.at)
        assert token is not None
        return token


def speak(
    cases: Sequence[TalkerCase], talker: Talker, most: int, drawing: Drawing = GREEDY, piece: int = 1000
) -> list[Speaking]:
    """Speak `most` frames of each case at most, all in one batch, until each has ended."""
    loop = FrameLoop(talker, cases[0].config, mx.float32, fused=False)
    rows = [Speaking(loop, talker, case, drawing, piece) for case in cases]
    for _ in range(most):
        active = [one for one in rows if not one.ended]
        if not active:
            break
        for one in active:
            one.states.append(np.array(loop._carried.state[one.row.place]))
        for one, frame in zip(
            active, step(loop, [one.row for one in active], [one.text for one in active]), strict=True
        ):
            assert frame.good
            one.codes.append(frame.codes)
            one.at += 1
            one.ended = frame.ends
            if frame.ends:
                loop.leave(one.row)
    return rows


def cases_in(folder: Path) -> list[tuple[TalkerCase, Talker]]:
    """The stored cases, each with its talker; `folder` is for their config.json."""
    stored = json.loads(DATA.read_text())
    found, talkers = [], dict[str, tuple[QwenTtsConfig, Talker]]()
    for case in stored["cases"]:
        key = f"{case['kind']} {case['size']}"
        if key not in talkers:
            (folder / "config.json").write_text(json.dumps(stored["configs"][key]))
            config = read_shape(folder)
            talker = filled(Talker(config.shape))
            talker.join()
            talkers[key] = config, talker
        config, talker = talkers[key]
        found.append((TalkerCase(case, config), talker))
    return found
