"""Who speaks when: diarization error rates, whole and live, on a telephone call and on made dialogues.

Errors are counted with a collar of 0.25 s. The thresholds were chosen on the call and on other dialogues of the same
voices. The peer is Senko, where $SENKO_PYTHON is an interpreter that has it: it needs torch, which is never installed
here. Not measured: diarize and sherpa-onnx, whose packages have no weights, and polyvoice, which has no wheel for
Python 3.11 on Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from asr_material import RATE
from dialogues import Dialogue, conversation, dialogue
from report import Row, show
from support.diarization import DiarizationErrors, errors
from support.engine_runs import result

from speechmlx.engines import LoadOptions, ecapa
from speechmlx.engines.ecapa.engine import Ecapa
from speechmlx.models import catalog, store
from speechmlx.runtime.worker import device
from speechmlx.types import Audio, Diarize, DiarizeStream, SpeakerTurn

SPEAKERS = (2, 3, 4, 5)
TURNS_EACH = 4
OVERLAP = 0.25
PIECE = RATE // 10
NOTHING = DiarizationErrors(0.0, 0.0, 0.0, 0.0)

Turns = Sequence[SpeakerTurn]


@dataclass(frozen=True)
class Run:
    """What a diarizer found in each dialogue, and how many seconds it took for all."""

    turns: list[Turns]
    seconds: float


def loaded() -> Ecapa:
    device.device()
    folder = store.fetch(catalog.CATALOG.resolve("ecapa-diarizer"), store.cache_folder())
    return result(ecapa.load(folder, LoadOptions()))


def whole(engine: Ecapa, said: Sequence[Dialogue]) -> Run:
    start = time.perf_counter()
    found = [list(engine.run(Diarize(audio=Audio(one.samples, RATE)))) for one in said]
    seconds = time.perf_counter() - start
    return Run([[event for event in events if isinstance(event, SpeakerTurn)] for events in found], seconds)


def live(engine: Ecapa, said: Sequence[Dialogue]) -> tuple[Run, list[float]]:
    """The run, and for each turn the seconds of audio between its start and its event."""
    found: list[Turns] = []
    waits: list[float] = []
    start = time.perf_counter()
    for one in said:
        stream, turns = engine.open(DiarizeStream()), []
        for end in range(PIECE, len(one.samples) + PIECE, PIECE):
            events = [event for event in stream.feed(one.samples[end - PIECE : end]) if isinstance(event, SpeakerTurn)]
            waits += [end / RATE - event.start for event in events if event.speaker]
            turns += events
        turns += [event for event in stream.finish() if isinstance(event, SpeakerTurn)]
        found.append([turn for turn in turns if turn.speaker])
    return Run(found, time.perf_counter() - start), waits


def peer(python: str, said: Sequence[Dialogue]) -> Run:
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.wav") for number in range(len(said))]
        for path, one in zip(paths, said, strict=True):
            soundfile.write(path, one.samples, RATE, subtype="PCM_16")
        command = [python, str(Path(__file__).with_name("diarization_peer.py")), *map(str, paths)]
        printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    answer = json.loads(printed.splitlines()[-1])
    return Run([[SpeakerTurn(*turn) for turn in turns] for turns in answer["turns"]], answer["seconds"])


def rates(said: Sequence[Dialogue], run: Run) -> dict[str, float]:
    """Error rates in percent, and the share of dialogues whose number of speakers is wrong."""
    pairs = list(zip(said, run.turns, strict=True))
    totals = {
        "all speech": sum((errors(one.turns, turns) for one, turns in pairs), NOTHING),
        "without overlaps": sum((errors(one.turns, turns, overlaps=False) for one, turns in pairs), NOTHING),
        "no collar": sum((errors(one.turns, turns, collar=0.0) for one, turns in pairs), NOTHING),
    }
    wrong = sum(len({turn.speaker for turn in turns}) != one.speakers for one, turns in pairs)
    confused = totals["all speech"]
    return {
        **{name: 100 * total.rate for name, total in totals.items()},
        "of it confused": 100 * confused.confused / confused.speech,
        "wrong number of speakers": 100 * wrong / len(pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 made dialogues instead of 24")
    options = parser.parse_args()
    counts = SPEAKERS * (1 if options.quick else 6)
    made = [
        dialogue(np.random.default_rng(500 + seed), count, count * TURNS_EACH, OVERLAP * (seed % 2))
        for seed, count in enumerate(counts)
    ]
    said = [conversation(), *made]
    audio = sum(len(one.samples) for one in said) / RATE
    engine = loaded()
    ours = whole(engine, said)
    streamed, waits = live(engine, said)
    senko = os.environ.get("SENKO_PYTHON")
    theirs = peer(senko, said) if senko else None
    rows = []
    for title, part in (("telephone call", slice(1)), (f"{len(made)} made dialogues", slice(1, None))):
        mine, quick = rates(said[part], Run(ours.turns[part], 0)), rates(said[part], Run(streamed.turns[part], 0))
        other = rates(said[part], Run(theirs.turns[part], 0)) if theirs else {}
        for name in mine:
            rows.append(Row(f"{title}, {name}", mine[name], "%", other.get(name), "senko" if other else ""))
            rows.append(Row(f"{title}, {name}, live", quick[name], "%"))
    took = theirs.seconds / audio if theirs else None
    rows += [
        Row("time / audio", ours.seconds / audio, "", took, "senko" if theirs else ""),
        Row("time / audio, live", streamed.seconds / audio, ""),
        Row("live: start of a turn's part to its event, mean", float(np.mean(waits)), "s"),
        Row("live: start of a turn's part to its event, longest", max(waits), "s"),
    ]
    show(
        f"Diarization errors, {audio:.0f} s of speech of 2 to 5 speakers" + ("" if theirs else "; no $SENKO_PYTHON"),
        rows,
    )


if __name__ == "__main__":
    main()
