"""Predicts the pronunciation of words outside the dictionaries: a joint-sequence model, decoded by beam search.

scripts/fit_spelling.py fits the model, spelling.npz, to the dictionaries of the misaki package (Apache-2.0). A word is
a chain of graphones. A graphone pairs one or two letters with zero to two phonemes, such as "ph" = f. The probability
of a graphone after its predecessors is interpolated over all orders with Kneser-Ney smoothing.
"""

from __future__ import annotations

import importlib.resources
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from speechmlx.reading.pronunciation.dictionary import PRIMARY, SECONDARY, accent

BEAM = 16
DISCOUNT = 0.8
MIX = np.uint64(0x9E3779B97F4A7C15)
NOWHERE = np.uint64(0xFFFFFFFFFFFFFFFF)
START, END = 0, 1  # graphones that mark the start and the end of a word

_FINAL_R = "ɹ(?![ˈˌ]?[AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ])"
BRITISH = [
    (re.compile(american), british)
    for american, british in (
        (f"ə{_FINAL_R}", "ə"),
        (f"ɪ{_FINAL_R}", "ɪə"),
        (f"ʊ{_FINAL_R}", "ʊə"),
        (f"([ɑɔɛɜ]){_FINAL_R}", r"\1ː"),
        ("ɜɹ", "ɜːɹ"),
        ("[iu](?!ə)", r"\g<0>ː"),
        ("ɑ(?!ː)", "ɒ"),
        ("æ", "a"),
        ("O", "Q"),
        ("ɾ", "t"),
        ("ᵻ", "ɪ"),
    )
]

Hashes = NDArray[np.uint64]


def root(length: int) -> Hashes:
    """The initial hash of chains whose context has `length` graphones."""
    return extend(np.array(0, np.uint64), np.array(1 << 32 | length, np.uint64))


def extend(context: Hashes, graphone: NDArray[np.uint64]) -> Hashes:
    """The hash of the chain `context` extended by `graphone`."""
    with np.errstate(over="ignore"):
        mixed = (context ^ (graphone + np.uint64(1))) * MIX
    return mixed ^ (mixed >> np.uint64(29))


def fold(hashes: Hashes) -> NDArray[np.uint32]:
    """The upper 32 bits of each hash, the key in a table."""
    return (hashes >> np.uint64(32)).astype(np.uint32)


@dataclass(frozen=True)
class Table:
    """A map from sorted keys [n] to values [n]. Absent keys have the value 0."""

    keys: NDArray[np.uint32]
    values: NDArray[np.float32]

    def __call__(self, hashes: Hashes) -> NDArray[np.float32]:
        queries = fold(hashes)
        at = np.minimum(np.searchsorted(self.keys, queries), len(self.keys) - 1)
        return np.where(self.keys[at] == queries, self.values[at], 0).astype(np.float32)


@dataclass(frozen=True)
class Spelling:
    """Letters and phonemes of each graphone, and counts of chains. `order` is the length of the longest chain."""

    letters: tuple[str, ...]
    sounds: tuple[str, ...]
    order: int
    chains: Table
    """Chain → number of occurrences."""
    kinds: Table
    """Chain → number of distinct graphones that follow it."""

    @cached_property
    def by_letters(self) -> dict[str, NDArray[np.uint64]]:
        numbers_of: dict[str, list[int]] = {}
        for number, letters in enumerate(self.letters):
            numbers_of.setdefault(letters, []).append(number)
        return {letters: np.array(numbers, np.uint64) for letters, numbers in numbers_of.items()}

    def __call__(self, word: str) -> str:
        """Convert lower-case Latin letters to phonemes with one primary stress. Unknown letters are skipped."""
        word = "".join(c for c in word if c in self.by_letters)
        if not word:
            return ""
        return _stressed("".join(self.sounds[g] for g in self._best(word)))

    def british(self, word: str) -> str:
        """Convert `word` for a British voice."""
        return to_british(self(word))

    def _best(self, word: str) -> tuple[int, ...]:
        beams: list[dict[tuple[int, ...], float]] = [{} for _ in range(len(word) + 1)]
        beams[0] = {(): 0.0}
        for place in range(len(word)):
            leading = sorted(beams[place].items(), key=lambda item: -item[1])[:BEAM]
            for size in (1, 2):
                candidates = self.by_letters.get(word[place : place + size])
                if candidates is None or place + size > len(word) or not leading:
                    continue
                scores = self._scores([chain for chain, _ in leading], candidates)
                for (chain, score), row in zip(leading, scores, strict=True):
                    for graphone, gain in zip(candidates.tolist(), row.tolist(), strict=True):
                        beams[place + size][(*chain, graphone)] = score + gain
        finals = sorted(beams[-1].items(), key=lambda item: -item[1])[:BEAM]
        ends = self._scores([chain for chain, _ in finals], np.array([END], np.uint64))[:, 0]
        return finals[int(np.argmax(ends + np.array([score for _, score in finals])))][0]

    def _scores(self, chains: list[tuple[int, ...]], candidates: NDArray[np.uint64]) -> NDArray[np.float32]:
        """Log probability of each candidate after each chain [chains, candidates]. The chains have any lengths."""
        probability = np.full((len(chains), len(candidates)), 1 / len(self.letters), np.float32)
        contexts = self._contexts(chains)
        for length in range(self.order):
            context = contexts[length]
            seen, kinds = self.chains(context), self.kinds(context)
            total = np.maximum(seen, 1)[:, None]
            counted = np.maximum(self.chains(extend(context[:, None], candidates[None])) - DISCOUNT, 0)
            known = (counted + DISCOUNT * kinds[:, None] * probability) / total
            probability = np.where(kinds[:, None] > 0, known, probability)
        logs: np.ndarray = np.log(probability + 1e-12)
        return logs

    def _contexts(self, chains: list[tuple[int, ...]]) -> list[Hashes]:
        """For each length below the order, the hash of the last `length` graphones of each chain, START included.

        NOWHERE where a chain is shorter.
        """
        longest = self.order - 1
        lengths = np.array([len(chain) + 1 for chain in chains])
        last = np.array([((-1,) * longest + (START, *chain))[-longest:] for chain in chains], np.int64).astype(
            np.uint64
        )
        hashes = []
        for length in range(self.order):
            value = np.full(len(chains), root(length))
            for place in range(longest - length, longest):
                value = extend(value, last[:, place])
            hashes.append(np.where(length > lengths, NOWHERE, value))
        return hashes


def to_british(phonemes: str) -> str:
    """American phonemes → British vowels, and r only before a vowel."""
    for pattern, sound in BRITISH:
        phonemes = pattern.sub(sound, phonemes)
    return phonemes


def _stressed(phonemes: str) -> str:
    """Keep the first primary stress only. Without a stress, put one on the first vowel."""
    first, mark, rest = phonemes.partition(PRIMARY)
    return first + mark + rest.replace(PRIMARY, SECONDARY) if mark else accent(phonemes, PRIMARY)


def load() -> Spelling:
    """Load the model of this package."""
    with (importlib.resources.files(__package__) / "spelling.npz").open("rb") as file, np.load(file) as data:
        tables = [
            Table(np.cumsum(data[f"{name}_steps"], dtype=np.uint32), data[f"{name}_values"].astype(np.float32))
            for name in ("chains", "kinds")
        ]
        letters, sounds = (tuple(str(data[name]).split("\n")) for name in ("letters", "sounds"))
        return Spelling(letters, sounds, int(data["order"]), *tables)
