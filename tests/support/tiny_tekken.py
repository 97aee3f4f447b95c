"""A tokenizer in the form of Mistral's tekken.json: the bytes, and pieces learned from a few lines."""

from __future__ import annotations

import base64
import re
from collections import Counter
from itertools import pairwise
from typing import Any

LINES = """The old lighthouse keeper counts the boats at noon, and again when the lamps are lit.
Le phare répète sa lumière : une, deux, trois fois. Wo ist der Schlüssel? Über der Tür, glaube ich.
¿Cuántos barcos hay hoy? Quarenta e dois. Het water is koud en de wind is hard."""
PATTERN = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
MARKS = (
    *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]"),
    *("[/TOOL_RESULTS]", "[TOOL_CALLS]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]"),
    *("[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]", "[AUDIO]", "[BEGIN_AUDIO]"),
    *("[TRANSCRIBE]", "[REPEAT_AUDIO_TEXT]", "[NEXT_AUDIO_TEXT]", "[STREAMING_PAD]", "[ARGS]", "[CALL_ID]"),
)
"""Those that mistral_common asks for."""
COUNTED, MORE = 120, 8
"""Pieces that are learned, and how many more the file has than the model knows."""
FIRST = 40
"""The token of the first byte."""
VOICES = {"casual_male": 3, "fr_female": 5, "casual_female": 4}
"""Frames of each voice."""


def tekken() -> dict[str, Any]:
    """The content of the file; always the same."""
    pieces = [bytes([byte]) for byte in range(256)]
    pieces += _learned(COUNTED + MORE)
    vocabulary = [
        {"rank": rank, "token_bytes": base64.b64encode(piece).decode(), "token_str": None}
        for rank, piece in enumerate(pieces)
    ]
    marks = [{"rank": rank, "token_str": mark, "is_control": True} for rank, mark in enumerate(MARKS)]
    config = {
        "pattern": PATTERN, "num_vocab_tokens": len(pieces), "default_vocab_size": FIRST + 256 + COUNTED,
        "default_num_special_tokens": FIRST, "version": "v7",
    }  # fmt: skip
    sound = {
        "sampling_rate": 24000, "frame_rate": 12.5, "voice_num_audio_tokens": VOICES,
        "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
    }  # fmt: skip
    return {"config": config, "vocab": vocabulary, "special_tokens": marks, "audio": sound}


def _learned(count: int) -> list[bytes]:
    """The pairs that stand side by side most often, joined one after another."""
    words = [[bytes([byte]) for byte in word.encode()] for word in re.findall(r"\W?\w+|\W", LINES)]
    found = []
    for _ in range(count):
        pairs = Counter(pair for word in words for pair in pairwise(word))
        one, other = min(pairs, key=lambda pair: (-pairs[pair], pair))
        found.append(one + other)
        words = [_joined(word, one, other) for word in words]
    return found


def _joined(word: list[bytes], one: bytes, other: bytes) -> list[bytes]:
    made: list[bytes] = []
    for piece in word:
        if made and made[-1] == one and piece == other:
            made[-1] = one + other
        else:
            made.append(piece)
    return made
