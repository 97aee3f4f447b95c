"""The speakers of ChatTTS: a vector given as text, or one drawn for a name. Each name is a speaker of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.chattts.speaker_codes import from_emb_data, from_speaker_string, is_speaker_string
from speechmlx.engines.parts import torch_random
from speechmlx.errors import UnknownVoice
from speechmlx.types import NamedVoice, Voice

LONGEST = 400
"""Characters of a name; a longer one is emb_data, as in Xinference."""
LEAST = 100
"""Characters of a string of a speaker: shorter texts of Chinese are names."""
SHORTEST = 1e-12
"""Length of a vector that has a direction."""

ROUNDS = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1)
"""The primes of xxHash, as its specification numbers them."""
WORD = (1 << 32) - 1


class SpeakerBook:
    """Makes the vectors of speakers: normal numbers around `mean` as wide as `std`, both [width] in float16."""

    def __init__(self, mean: NDArray[np.float16], std: NDArray[np.float16]) -> None:
        self._mean, self._std = mean, std

    def vector(self, voice: Voice | None) -> NDArray[np.float32]:
        """The direction of a speaker [width], of length 1. None: the speaker of the empty name. Raises UnknownVoice."""
        if voice is not None and not isinstance(voice, NamedVoice):
            raise UnknownVoice("ChatTTS imitates no recordings: name any voice, or send emb_data as 'voice'")
        name = voice.name.strip() if voice is not None else ""
        found = self._given(name) if _is_data(name) else self.drawn(name)
        length = float(np.linalg.norm(found))
        if not np.isfinite(found).all() or length < SHORTEST:
            raise _refusal(name, "its numbers are no direction")
        return found / np.float32(length)

    def drawn(self, name: str) -> NDArray[np.float32]:
        """The speaker of a name, as Xinference draws it: the name's hash is the seed."""
        noise = torch_random.normal(xxh32(name.encode("utf-8", "surrogatepass")), len(self._mean)).astype(np.float16)
        return (noise * self._std + self._mean).astype(np.float32)

    def _given(self, name: str) -> NDArray[np.float32]:
        width = len(self._mean)
        try:
            found = from_speaker_string(name, width) if is_speaker_string(name) else from_emb_data(name)
        except Exception as error:  # readers raise anything for hostile data
            raise _refusal(name, str(error) or type(error).__name__) from error
        if len(found) != width:
            raise _refusal(name, f"it has {len(found)} numbers, not {width}")
        return found


def _is_data(name: str) -> bool:
    return len(name) > LONGEST or (len(name) >= LEAST and is_speaker_string(name))


def _refusal(name: str, reason: str) -> UnknownVoice:
    return UnknownVoice(
        f"the voice has {len(name)} characters, so it should be emb_data (base64 of a tensor that torch.save wrote) or "
        f"a speaker's string of ChatTTS, but {reason:.200}; shorter names are voices too"
    )


def xxh32(data: bytes) -> int:
    """The 32-bit xxHash of `data` with seed 0, by its specification."""
    whole = len(data) & ~15
    first, second, third, fourth, fifth = ROUNDS
    if whole:
        lanes = [(first + second) & WORD, second, 0, -first & WORD]
        for place in range(0, whole, 4):
            lane = place // 4 % 4
            word = int.from_bytes(data[place : place + 4], "little")
            lanes[lane] = _turned((lanes[lane] + word * second) & WORD, 13) * first & WORD
        mixed = sum(_turned(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True))
    else:
        mixed = fifth
    mixed = (mixed + len(data)) & WORD
    words = whole + (len(data) - whole) // 4 * 4
    for place in range(whole, words, 4):
        word = int.from_bytes(data[place : place + 4], "little")
        mixed = _turned((mixed + word * third) & WORD, 17) * fourth & WORD
    for byte in data[words:]:
        mixed = _turned((mixed + byte * fifth) & WORD, 11) * first & WORD
    mixed = (mixed ^ mixed >> 15) * second & WORD
    mixed = (mixed ^ mixed >> 13) * third & WORD
    return mixed ^ mixed >> 16


def _turned(word: int, by: int) -> int:
    """A word of 32 bits, rotated to the left."""
    return (word << by | word >> 32 - by) & WORD
