"""Counts the spelling model of Kokoro's English over misaki's dictionaries.

python scripts/fit_spelling.py speechmlx/reading/pronunciation/spelling.npz

Letters and sounds are aligned by hard expectation maximisation. The aligned words become chains of graphones, and
chains of up to ORDER graphones are counted. One word in HELD_OUT measures the model first, and is counted after that.
"""

from __future__ import annotations

import argparse
import logging
import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from speechmlx.reading.pronunciation import dictionary
from speechmlx.reading.pronunciation.spelling import END, START, Spelling, Table, extend, fold, root

ORDER = 5
LEAST = {3: 2, 4: 2, 5: 3}
HELD_OUT = 50
ROUNDS, SAMPLE = 6, 25_000
SOUND = re.compile(r"[ˈˌ]?(?:ᵊ[lnm]|.)ː?")
SHAPES = ((1, 0), (1, 1), (1, 2), (2, 1))  # letters and sounds of a graphone
UNSEEN = 1e-6

log = logging.getLogger(__name__)
Aligned = list[tuple[str, str]]
Chance = dict[tuple[str, str], float]


def words() -> list[tuple[str, list[str]]]:
    """(letters, sounds) of every plain word in the American dictionaries."""
    book = dictionary.load(british=False)
    found = {}
    for word, entry in {**book.silver, **book.gold}.items():
        said = dictionary.choose(entry, "")
        if said and re.fullmatch(r"[A-Za-z][a-z]+", word):
            found[word.lower()] = SOUND.findall(said)
    return sorted(found.items())


def _bare(sounds: Iterable[str]) -> str:
    return dictionary.unstress("".join(sounds))


def align(word: str, sounds: list[str], chance: Chance | None) -> Aligned | None:
    """The likeliest cutting of a word into graphones; without `chance` the one with fewest silent or odd pieces."""
    best: dict[tuple[int, int], tuple[float, Aligned | None, tuple[int, int]]] = {(0, 0): (0.0, None, (0, 0))}
    for i in range(len(word)):
        for j in range(len(sounds) + 1):
            if (i, j) not in best:
                continue
            for letters, count in SHAPES:
                if i + letters > len(word) or j + count > len(sounds):
                    continue
                pair = word[i : i + letters], _bare(sounds[j : j + count])
                cost = (0.0 if letters == count else 3.0) if chance is None else -math.log(chance.get(pair, UNSEEN))
                reached, total = (i + letters, j + count), best[i, j][0] + cost
                if reached not in best or total < best[reached][0]:
                    best[reached] = total, None, (i, j)
    end = (len(word), len(sounds))
    if end not in best:
        return None
    pieces = []
    while end != (0, 0):
        start = best[end][2]
        pieces.append((word[start[0] : end[0]], "".join(sounds[start[1] : end[1]])))
        end = start
    return pieces[::-1]


def learn(pairs: list[tuple[str, list[str]]]) -> Chance:
    """Chances of graphones, by aligning and counting in turn."""
    chance: Chance | None = None
    for _ in range(ROUNDS):
        counts: Counter[tuple[str, str]] = Counter()
        for word, sounds in pairs:
            counts.update((letters, _bare([said])) for letters, said in align(word, sounds, chance) or ())
        total = sum(counts.values())
        chance = {pair: n / total for pair, n in counts.items() if n > 2}
        log.info("%d graphones", len(chance))
    return chance or {}


def count(chains: Iterable[list[int]], order: int) -> tuple[Table, Table]:
    """Tables of chains and of the different graphones that follow each."""
    by_length: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(order + 1)]
    for chain in chains:
        padded = [START, *chain, END]
        for end in range(2, len(padded) + 1):
            for length in range(1, min(order, end) + 1):
                by_length[length][tuple(padded[end - length : end])] += 1
    seen: Counter[tuple[int, ...]] = Counter()
    kinds: Counter[tuple[int, ...]] = Counter()
    for length in range(1, order + 1):
        # Kneser and Ney: below the longest, a chain counts once for each graphone it was seen after.
        before = Counter(chain[1:] for chain in by_length[length + 1]) if length < order else by_length[length]
        for chain_, n in by_length[length].items():
            if n >= LEAST.get(length, 1):
                seen[chain_] = n if chain_[0] == START else before[chain_]
                kinds[chain_[:-1]] += 1
    # A context counts as often as something followed it, what its followers sum to.
    followed: Counter[tuple[int, ...]] = Counter()
    for chain_, n in seen.items():
        followed[chain_[:-1]] += n
    return _table(_merge(seen, followed, kinds)), _table(_hashes(kinds))


def _hashes(counts: Counter[tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    for chain, n in counts.items():
        yield _hash(chain, len(chain)), n


def _merge(
    seen: Counter[tuple[int, ...]], followed: Counter[tuple[int, ...]], kinds: Counter[tuple[int, ...]]
) -> Iterator[tuple[int, int]]:
    """A chain is looked up as a whole (its own count, hashed from its context) and as a context (what followed)."""
    for chain, n in seen.items():
        yield _hash(chain, len(chain) - 1), n
    for chain, n in followed.items():
        yield _hash(chain, len(chain)), n


def _hash(chain: tuple[int, ...], context: int) -> int:
    value = root(context)
    for graphone in chain:
        value = extend(value, np.array(graphone, np.uint64))
    return int(fold(value))


def _table(pairs: Iterable[tuple[int, int]]) -> Table:
    keys: dict[int, int] = dict(pairs)
    order = sorted(keys)
    return Table(np.array(order, np.uint32), np.array([keys[k] for k in order], np.float32))


def fit(aligned: list[Aligned]) -> Spelling:
    numbers: dict[tuple[str, str], int] = {("<", ""): START, (">", ""): END}
    chains = [[numbers.setdefault(piece, len(numbers)) for piece in pieces] for pieces in aligned]
    letters, sounds = zip(*numbers, strict=True)
    return Spelling(letters, sounds, ORDER, *count(chains, ORDER))


def save(model: Spelling, path: Path) -> None:
    tables = {}
    for name, table in (("chains", model.chains), ("kinds", model.kinds)):
        tables[f"{name}_steps"] = np.diff(table.keys, prepend=np.uint32(0))
        tables[f"{name}_values"] = np.minimum(table.values, 65535).astype(np.uint16)
    names = {"letters": "\n".join(model.letters), "sounds": "\n".join(model.sounds)}
    np.savez_compressed(path, order=model.order, **names, **tables)  # type: ignore[arg-type]


def measure(model: Spelling, pairs: list[tuple[str, list[str]]]) -> tuple[float, float, float]:
    """Shares of words said exactly, said exactly but for stress, and of sounds wrong (by edit distance)."""
    exact = unstressed = wrong = total = 0
    for word, sounds in pairs:
        said = model(word)
        exact += said == "".join(sounds)
        unstressed += _bare([said]) == _bare(sounds)
        wrong += _distance(_bare([said]), _bare(sounds))
        total += len(_bare(sounds))
    return exact / len(pairs), unstressed / len(pairs), wrong / total


def _distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    logging.basicConfig(level=logging.INFO)
    out = parser.parse_args().out
    pairs = words()
    random.Random(0).shuffle(pairs)
    chance = learn(pairs[:SAMPLE])
    kept = [(pair, pieces) for pair in pairs if (pieces := align(*pair, chance))]
    log.info("%d of %d words aligned", len(kept), len(pairs))
    held, rest = kept[::HELD_OUT], [pieces for i, (_, pieces) in enumerate(kept) if i % HELD_OUT]
    log.info("exact %.3f, but for stress %.3f, sounds wrong %.3f", *measure(fit(rest), [p for p, _ in held][:1500]))
    save(fit([pieces for _, pieces in kept]), out)


if __name__ == "__main__":
    main()
