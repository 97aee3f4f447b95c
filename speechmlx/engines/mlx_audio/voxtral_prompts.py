"""Voxtral's speech without mistral_common: the tokenizer and the voices of a model's folder, and prompts made of them.

The numbers are those of mistral_common: scripts/parity/voxtral_prompts.py.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import mlx.core as mx
import tiktoken

from speechmlx.engines.mlx_audio import package
from speechmlx.engines.weights import check_header, evaluate_finite
from speechmlx.errors import BadRequest, ModelUnavailable, WeightsDamaged

FILE, VOICES = "tekken.json", "voice_embedding"
"""The tokenizer of a model's folder, and the folder of its voices: a file of weights [frames, width] each."""
BEGIN, SOUND, FRAME = "<s>", "[BEGIN_AUDIO]", "[AUDIO]"
TEXT, SPEAK = "[NEXT_AUDIO_TEXT]", "[REPEAT_AUDIO_TEXT]"
BYTES = 256
"""The first entries of a vocabulary: each byte."""


class SpeechPrompts:
    """What a model is asked: where the frames of a voice go, then a text, then that it should be spoken."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        """`told`: what tekken.json says. Raises KeyError, TypeError and ValueError for what is no such tokenizer."""
        config, marks = told["config"], {mark["token_str"]: int(mark["rank"]) for mark in told["special_tokens"]}
        self._begin, self._sound, self._frame, self._text, self._speak = (
            marks[name] for name in (BEGIN, SOUND, FRAME, TEXT, SPEAK)
        )
        self._first = int(config["default_num_special_tokens"])
        """The token of the vocabulary's first entry."""
        size = int(config["default_vocab_size"]) - self._first
        self._pieces = tiktoken.Encoding(
            FILE, pat_str=config["pattern"], mergeable_ranks=_ranks(told["vocab"], size), special_tokens={}
        )
        self.frames: dict[str, int] = {str(name): int(n) for name, n in told["audio"]["voice_num_audio_tokens"].items()}
        """Voice → how many frames of it a prompt has."""

    def tokens(self, text: str, voice: str) -> list[int]:
        """The prompt for `text`, in which no name of a mark counts as one."""
        words = [self._first + piece for piece in self._pieces.encode_ordinary(text)]
        heard = [self._begin, self._sound, *[self._frame] * self.frames[voice]]
        return [*heard, self._text, *words, self._speak, self._sound]


def _ranks(vocabulary: list[Mapping[str, Any]], size: int) -> dict[bytes, int]:
    """The first `size` entries; the file may have more than the model knows."""
    if not BYTES <= size <= len(vocabulary):
        raise ValueError(f"it has {len(vocabulary)} entries, of which {size} should count")
    ranks = {}
    for place, entry in enumerate(vocabulary[:size]):
        piece = base64.b64decode(entry["token_bytes"], validate=True)
        if entry["rank"] != place or (place < BYTES and piece != bytes([place])) or piece in ranks:
            raise ValueError(f"entry {place} is not in its place")
        ranks[piece] = place
    return ranks


def furnish(model: Any, folder: Path) -> Any:
    """Give a model its tokenizer and its voices, in the place of the package's own way. Raises ModelUnavailable."""
    try:
        prompts = SpeechPrompts(json.loads((folder / FILE).read_bytes()))
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelUnavailable(
            f"the model folder {folder.name!r} has no readable {FILE} ({type(error).__name__}: {error})"
        ) from error
    model.tokenizer = prompts
    model._encode_text = partial(_prompt, prompts)
    model._voice_embeddings = _voices(folder, prompts.frames, model.config.dim)
    return model


def _prompt(prompts: SpeechPrompts, text: str, voice: str) -> list[int]:
    """The prompt for a text as the family wants texts: without markup, with a mark at its end. Raises BadRequest."""
    family = package.inside("tts", "voxtral_tts", "text_preprocess")
    try:
        plain = family.sanitize_tts_input_text_for_demo(text)
    except ValueError as error:
        raise BadRequest(f"{text!r:.60} is markup alone: there is no word in it") from error
    return prompts.tokens(plain, voice)


def _voices(folder: Path, frames: Mapping[str, int], width: int) -> dict[str, mx.array]:
    """The voices that the tokenizer knows and the folder has. Raises ModelUnavailable for none, WeightsDamaged."""
    found = {}
    for name in frames:
        path = folder / VOICES / f"{name}.safetensors"
        if "/" in name or not path.is_file():
            continue
        check_header(path)
        held: dict[str, mx.array] = mx.load(str(path))  # type: ignore[assignment]
        voice = held.get("embedding", next(iter(held.values()), mx.zeros(0)))
        if voice.shape != (frames[name], width):
            raise WeightsDamaged(
                f"the voice {name!r} has the shape {list(voice.shape)}, not [{frames[name]}, {width}] as {FILE} says"
            )
        evaluate_finite({name: voice})
        found[name] = voice
    if not found:
        raise ModelUnavailable(
            f"the model folder {folder.name!r} has no voice: {VOICES}/NAME.safetensors, where NAME is one of "
            f"{', '.join(frames) or 'those in ' + FILE}; voices in .pt files are not read"
        )
    return found
