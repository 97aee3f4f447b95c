"""Reading aloud, heard back: everyday texts through Kokoro and whisper-base, and the share of words that are wrong.

`python -m speechmlx.runtime.worker.blas python tests/bench/reading.py [--quick | --count N] [--words FILE]`.
The texts are rows of the corpora of tests/unit/reading/data, spread evenly over their classes. What the recognizer
hears is compared with the words of the alternative that is nearest. Both go through Whisper's English normalizer first,
because a recognizer writes figures where it hears words; what it writes in another way counts as wrong all the same, so
the share never falls to zero: compare it with that of another reading. For the reading of an earlier revision, check
that out into a folder of its own, copy this file and the corpora to the same places there, and run the command above
there. --words FILE says other words for the texts: lines of text TAB words. --quick: twelve texts.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product, zip_longest
from pathlib import Path

import jiwer
import numpy as np
import soxr
from asr_systems import RATE, ours
from report import machine
from rich import box
from rich.console import Console
from rich.table import Table
from support.engine_runs import result, sound
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.models import catalog, store

DATA = Path(__file__).parents[1] / "unit/reading/data"
CORPORA = ("read-aloud.tsv", "read-aloud-more.tsv")
VOICE, VOICE_RATE = "af_heart", 24000
COUNT, QUICK = 60, 12
EVERYDAY = 3
"""Of so many texts one is of the first corpus, which has no classes."""
SHORTEST = 4
"""Words: a recognizer has nothing to go by in shorter ones."""
SYMBOL = re.compile(r"[$£€¥%°]")
DASH = re.compile(r"(?<=[\d%]) ?[-–] ?(?=[$£€]?\d)")
LETTERS = re.compile(r"\b[a-z](?: [a-z])+\b")
FIGURES = re.compile(r"(?<=\d) (?=\d)")

Speak = Callable[[str], np.ndarray]
"""Text → samples at RATE."""


@dataclass(frozen=True)
class Text:
    """A row of a corpus. `alternatives` are the words that are right."""

    kind: str
    text: str
    alternatives: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """A text as it was heard; `wrong` words of the `words` of the alternative that is nearest."""

    kind: str
    text: str
    heard: str
    expected: str
    wrong: int
    words: int


def corpus(name: str) -> Iterator[Text]:
    """Comment lines name the class of the rows after them. "\\n" in a text stands for a line end."""
    kind = "everyday"
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        text, tab, words = line.partition("\t")
        if tab:
            yield Text(kind, text.replace("\\n", "\n"), tuple(words.split(" | ")))
        elif "<TAB>" not in line:
            kind = line.removeprefix("# ")


def chosen(count: int) -> list[Text]:
    """`count` texts, always the same: some of the first corpus, the others in turn of each class of the second."""
    first, second = ([one for one in corpus(name) if len(one.alternatives[0].split()) >= SHORTEST] for name in CORPORA)
    classes = [[one for one in second if one.kind == kind] for kind in dict.fromkeys(one.kind for one in second)]
    turns = [one for turn in zip_longest(*classes) for one in turn if one]
    everyday = count // EVERYDAY
    return first[:: max(1, len(first) // everyday)][:everyday] + turns[: count - everyday]


def speaker() -> Speak:
    from speechmlx.engines import LoadOptions, kokoro
    from speechmlx.types import NamedVoice
    from speechmlx.types import Speak as Request

    folder = store.fetch(catalog.CATALOG.resolve("kokoro-82m"), store.cache_folder())
    engine = result(kokoro.load(folder, LoadOptions()))

    def speak(text: str) -> np.ndarray:
        samples = sound(engine.run(Request(text=text, voice=NamedVoice(VOICE))))
        return np.asarray(soxr.resample(samples, VOICE_RATE, RATE), np.float32)

    return speak


def plain(normal: Callable[[str], str], words: str) -> str:
    """As both sides are compared: signs apart, and figures or letters that follow each other as one word."""
    apart = SYMBOL.sub(lambda sign: f" {sign[0]} ", normal(words.replace("&", " and ")))
    return LETTERS.sub(lambda letters: letters[0].replace(" ", ""), FIGURES.sub("", " ".join(apart.split())))


def judge(normal: Callable[[str], str], text: Text, heard: str) -> Heard:
    """A dash between figures may be how the recognizer writes "to", or how it cuts a telephone number."""
    found = []
    for alternative, form in product(text.alternatives, (heard, DASH.sub(" to ", heard))):
        if expected := plain(normal, alternative):
            said = plain(normal, form)
            measured = jiwer.process_words(expected, said)
            wrong = measured.substitutions + measured.deletions + measured.insertions
            found.append((wrong / len(expected.split()), wrong, expected))
    _, wrong, expected = min(found)
    return Heard(text.kind, text.text, heard.strip(), expected, wrong, len(expected.split()))


def show(title: str, rows: list[Heard]) -> None:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("", "texts", "words", "wrong", "word errors"):
        table.add_column(column, justify="right" if column else "left", overflow="fold")
    classes = [(kind, [row for row in rows if row.kind == kind]) for kind in dict.fromkeys(row.kind for row in rows)]
    for kind, mine in [*classes, ("all", rows)]:
        wrong, words = sum(row.wrong for row in mine), sum(row.words for row in mine)
        table.add_row(kind, str(len(mine)), str(words), str(wrong), f"{wrong / words:.1%}")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} texts instead of {COUNT}")
    parser.add_argument("--count", type=int, help="as many texts")
    parser.add_argument("--words", type=Path, metavar="FILE", help="say the words of lines of text TAB words instead")
    options = parser.parse_args()
    texts = chosen(options.count or (QUICK if options.quick else COUNT))
    lines = options.words.read_text(encoding="utf-8").splitlines() if options.words else []
    words = dict(line.split("\t", 1) for line in lines if "\t" in line)
    if lines and (missing := [one.text for one in texts if one.text.replace("\n", "\\n") not in words]):
        raise SystemExit(f"{options.words} has no words for {len(missing)} of the texts, such as {missing[0]!r}")
    speak, normal = speaker(), EnglishTextNormalizer()
    recognize = ours(store.fetch(catalog.CATALOG.resolve("whisper-base"), store.cache_folder()))
    rows = []
    for one in texts:
        said = words[one.text.replace("\n", "\\n")] if words else one.text
        rows.append(judge(normal, one, recognize([speak(said)])[0]))
        if rows[-1].wrong:
            sys.stderr.write(f"{rows[-1].kind}: {one.text!r} was heard as {rows[-1].heard!r}\n")
    show("Reading aloud, heard back", rows)
    errors = sum(row.wrong for row in rows) / sum(row.words for row in rows)
    found = {"machine": machine(), "word_errors": errors, "rows": [asdict(row) for row in rows]}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
