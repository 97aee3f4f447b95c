"""Live transcription as a client sees it, on each live wire of ours, beside the servers that the wires come from.

Recordings with pauses are sent at the pace of a microphone. Reported for each wire and server: word errors of what a
client has at the end; how late words are final and first shown (from when the piece with the word's end was sent); the
time from the end of the audio to the server's word that all is over; words that never became final; CPU time of the
server's processes per second of audio; and how many sessions at once it carries: in those, words come no more than 1 s
later than alone, at the 95th percentile. Word ends are those that our recogniser finds in the whole recordings.
What the server itself adds is measured with scripted models, which take no time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeVar

import httpx
import numpy as np
import websockets
import wire_measures
import wire_servers
from asr_material import PAUSES, Recording, clip, spoken
from report import machine
from rich import box
from rich.console import Console
from rich.table import Table
from support import scripted_conversation
from wire_clients import CLIENTS, RATE, Asr, NoSuchWire, Streamed, WhisperLive, WireClient, stream
from wire_measures import Delays, Timed
from wire_servers import RunningServer, WireServer, running

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import from_pcm16, to_pcm16

OURS = "speechmlx"
PIECE = RATE // 10
"""Samples in a message: 100 ms."""
FINISH_LIMIT = 30.0
CLIPS = ("jfk", "beckett", "librispeech")
CROWDS = (2, 4, 8, 16, 32)
OFFSET = 0.7
"""Seconds between sessions that start together: nobody begins in step."""
PERSON = 0.5
"""Seconds of silence after the last word."""
FRAMES = 2048
"""Samples in a message to scripted models, whole frames of their speech detector: no message waits for the next."""
COLUMNS = (
    "word\nerrors",
    "final,\nmean s",
    "\np90 s",
    "peer /\nours",
    "shown,\nmean s",
    "finish\ns",
    "never\nfinal",
    "CPU\ns / s",
    "\ncarried",
)
FAILURES = (OSError, RuntimeError, TimeoutError, websockets.ConnectionClosed)
"""What a server that fails in the middle of a session looks like."""
SAID = 3.0
"""Seconds of tone to scripted models."""


Result = TypeVar("Result")


@dataclass(frozen=True)
class Case:
    """A server to measure on a wire."""

    start: Callable[[], WireServer]
    wire: type[WireClient]
    name: str
    model: str


@dataclass(frozen=True)
class Material:
    """Recordings with where their words end, and the one that is sent in many sessions at once."""

    recordings: list[Recording]
    reference: list[list[Timed]]
    crowds: tuple[int, ...]


@dataclass(frozen=True)
class WireRow:
    """A case's results: times in seconds, CPU in seconds per second of audio."""

    system: str
    wire: str
    model: str
    word_errors: float
    final_mean: float | None
    final_p90: float | None
    """Of the words that became final."""
    shown_mean: float | None
    finish: float | None
    """None: not within FINISH_LIMIT."""
    never_final: int
    taken_back: int
    cpu: float
    sessions: int
    lags: dict[int, float | None]
    """By the number of sessions: seconds; None where words were lost, or one session alone does not keep up."""
    ratio: float | None = None
    """Mean delay of final words, beside that of ours on the same wire: over 1 ours is earlier."""

    def cells(self) -> tuple[str, ...]:
        return (
            self.system,
            f"{self.word_errors:.1%}",
            _seconds(self.final_mean),
            _seconds(self.final_p90),
            "" if self.ratio is None else f"{self.ratio:.2f}x",
            _seconds(self.shown_mean),
            _seconds(self.finish),
            str(self.never_final),
            f"{self.cpu:.2f}",
            str(self.sessions),
        )


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f}"


@dataclass(frozen=True)
class AddedRow:
    """What the server adds on a wire: seconds from the audio to the word, and from the end to the terminator."""

    wire: str
    p50: float
    p95: float
    finish: float | None


# --- the material ---


def recordings(count: int, parts: int) -> list[Recording]:
    """`count` recordings of `parts` clips and sentences each, with pauses between them and a short one at the end.

    The first ones begin with a recorded clip; the rest is spoken by Kokoro.
    """
    real, said = [clip(name) for name in CLIPS[:count]], spoken()
    order = iter(np.random.default_rng(11).permutation(len(said)))
    chosen = [real[number : number + 1] for number in range(count)]
    return [_joined(begun + [said[next(order)] for _ in range(parts - len(begun))]) for begun in chosen]


def _joined(parts: Sequence[Recording]) -> Recording:
    samples: list[np.ndarray] = []
    for number, part in enumerate(parts):
        pause = PAUSES[number % len(PAUSES)] if number + 1 < len(parts) else PERSON
        samples += [part.samples, np.zeros(round(pause * RATE), np.float32)]
    return Recording(np.concatenate(samples), " ".join(part.words for part in parts))


def reference(found: Sequence[Recording]) -> list[list[Timed]]:
    """Where the words of each recording end, as our server's whole-file recognition tells."""
    with running(wire_servers.ours("base", Asr)) as server, httpx.Client(trust_env=False, timeout=300) as client:
        url = f"http://127.0.0.1:{server.port}/v1/audio/transcriptions"
        return [_word_ends(client, url, recording) for recording in found]


def _word_ends(client: httpx.Client, url: str, recording: Recording) -> list[Timed]:
    pcm = to_pcm16(recording.samples)
    form = {
        "model": "whisper-1",
        "language": "en",
        "response_format": "verbose_json",
        "timestamp_granularities[]": "word",
    }
    answer = client.post(url, data=form, files={"file": ("a.wav", wav_header(RATE, len(pcm) // 2) + pcm)})
    answer.raise_for_status()
    words: list[dict[str, Any]] = answer.json()["words"]
    return [Timed(bare, word["end"]) for word in words for bare in wire_measures.bare(word["word"])]


# --- the measurements ---


async def _alone(server: RunningServer, wire: type[WireClient], recording: Recording) -> tuple[Streamed, float]:
    """A session, and the CPU seconds per second of audio that the server used for it."""
    before = server.cpu()
    found = await stream(server.connect(wire), recording.samples, PIECE, FINISH_LIMIT)
    return found, (server.cpu() - before) / recording.seconds


async def _crowd(server: RunningServer, wire: type[WireClient], recording: Recording, count: int) -> list[Streamed]:
    """Sessions at once; one that fails has shown nothing."""

    async def one(number: int) -> Streamed:
        await asyncio.sleep(number * OFFSET)
        try:
            return await stream(server.connect(wire), recording.samples, PIECE, FINISH_LIMIT)
        except FAILURES:
            return Streamed()

    return await asyncio.gather(*map(one, range(count)))


def _lags(
    server: RunningServer, wire: type[WireClient], material: Material, alone: dict[int, float]
) -> dict[int, float | None]:
    """The lag of each number of sessions, up to the first that is too high."""
    found: dict[int, float | None] = {1: 0.0 if wire_measures.keeps_up(alone, len(material.reference[0])) else None}
    for count in material.crowds:
        if not _carried(found[max(found)]):
            break
        crowd = asyncio.run(_crowd(server, wire, material.recordings[0], count))
        shown = [wire_measures.delays(one, PIECE, material.reference[0]).shown for one in crowd]
        found[count] = wire_measures.lag(alone, shown)
    return found


def _carried(lag: float | None) -> bool:
    return lag is not None and lag < wire_measures.LAG_LIMIT


def measure(case: Case, material: Material) -> WireRow:
    """Raises NoSuchWire where the server or the wire is not there."""
    with running(case.start()) as server:
        warm = replace(material.recordings[0], samples=material.recordings[0].samples[: 2 * RATE])
        asyncio.run(_alone(server, case.wire, warm))
        found = [asyncio.run(_alone(server, case.wire, recording)) for recording in material.recordings]
        sessions = [session for session, _ in found]
        late = [
            wire_measures.delays(session, PIECE, told)
            for session, told in zip(sessions, material.reference, strict=True)
        ]
        lags = _lags(server, case.wire, material, late[0].shown)
    return _row(case, material, sessions, late, statistics.fmean(cpu for _, cpu in found), lags)


def _row(
    case: Case,
    material: Material,
    sessions: list[Streamed],
    late: list[Delays],
    cpu: float,
    lags: dict[int, float | None],
) -> WireRow:
    final = [seconds for one in late for seconds in one.final.values()]
    shown = [seconds for one in late for seconds in one.shown.values()]
    finishes = [session.over - session.end for session in sessions if session.over is not None]
    texts = [f"{session.last.final} {session.last.tail}" for session in sessions]
    said = [recording.words for recording in material.recordings]
    return WireRow(
        case.name,
        case.wire.name,
        case.model,
        wire_measures.word_errors(list(zip(said, texts, strict=True))),
        statistics.fmean(final) if final else None,
        float(np.percentile(final, 90)) if final else None,
        statistics.fmean(shown) if shown else None,
        statistics.fmean(finishes) if len(finishes) == len(sessions) else None,
        sum(one.never_final for one in late),
        sum(one.taken_back for one in late),
        cpu,
        max((count for count, lag in lags.items() if _carried(lag)), default=0),
        lags,
    )


def added(wire: type[WireClient], runs: int) -> AddedRow:
    """What our server adds on `wire`. Raises NoSuchWire."""
    tone = from_pcm16(scripted_conversation.tone(SAID, rate=RATE))
    with tempfile.TemporaryDirectory() as cache, running(wire_servers.scripted(wire, cache)) as server:
        asyncio.run(stream(server.connect(wire), tone, FRAMES, FINISH_LIMIT))
        found = [asyncio.run(stream(server.connect(wire), tone, FRAMES, FINISH_LIMIT)) for _ in range(runs)]
    late = [seconds for one in found for seconds in wire_measures.added(one)]
    if not late:
        raise RuntimeError(f"the scripted server showed no word on {wire.name}: {found[0].last}")
    finishes = [one.over - one.end for one in found if one.over is not None]
    finish = statistics.median(finishes) if len(finishes) == len(found) else None
    return AddedRow(wire.name, float(np.percentile(late, 50)), float(np.percentile(late, 95)), finish)


# --- what is compared, and how it is shown ---


def cases(models: Sequence[str]) -> list[Case]:
    found = []
    for model in models:
        found += [Case(partial(wire_servers.ours, model, wire), wire, f"{OURS} {wire.name}", model) for wire in CLIENTS]
        for policy, name in wire_servers.POLICIES.items():
            start = partial(wire_servers.whisperlivekit, model, policy)
            found.append(Case(start, Asr, f"WhisperLiveKit {name}", model))
        found.append(Case(partial(wire_servers.whisper_live, model), WhisperLive, "whisper-live", model))
    return found


def with_ratios(rows: Sequence[WireRow]) -> list[WireRow]:
    """Each peer's row beside ours of the same wire and model, where there is one."""
    mine = {(row.wire, row.model): row.final_mean for row in rows if row.system.startswith(OURS)}

    def ratio(row: WireRow) -> float | None:
        base = mine.get((row.wire, row.model))
        return None if not base or not row.final_mean or row.system.startswith(OURS) else row.final_mean / base

    return [replace(row, ratio=ratio(row)) for row in rows]


def show(rows: Sequence[WireRow], seconds: float) -> None:
    for model in dict.fromkeys(row.model for row in rows):
        table = Table(
            title=f"Live wires, Whisper {model}, {seconds:.0f} s of audio", title_justify="left", box=box.SIMPLE_HEAD
        )
        table.add_column("", no_wrap=True)
        for column in COLUMNS:
            table.add_column(column, justify="right")
        for row in rows:
            if row.model == model:
                table.add_row(*row.cells())
        Console().print(table)


def show_added(rows: Sequence[AddedRow]) -> None:
    table = Table(title="What the server adds, scripted models", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("")
    for column in ("audio to word, p50", "p95", "finish"):
        table.add_column(column, justify="right")
    for row in rows:
        finish = "never" if row.finish is None else f"{row.finish * 1e3:.1f} ms"
        table.add_row(f"{OURS} {row.wire}", f"{row.p50 * 1e3:.1f} ms", f"{row.p95 * 1e3:.1f} ms", finish)
    Console().print(table)


class Problems(list[str]):
    """What was left out or failed, printed as it comes."""

    def attempt(self, name: str, measurement: Callable[[], Result]) -> list[Result]:
        """The result of `measurement`, or nothing where there is a problem."""
        try:
            return [measurement()]
        except NoSuchWire as error:
            self.append(f"left out: {name}: {error}")
        except FAILURES as error:
            self.append(f"failed: {name}: {type(error).__name__}: {error}")
        Console(soft_wrap=True).print(self[-1], markup=False, highlight=False)
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small model, one short recording, two sessions")
    parser.add_argument("--only", default="", metavar="NAME", help="only systems with this in their names")
    args = parser.parse_args()
    problems = Problems()
    scripted_rows: list[AddedRow] = []
    rows: list[WireRow] = []
    for wire in CLIENTS:
        if args.only in (name := f"{OURS} {wire.name}"):
            scripted_rows += problems.attempt(f"{name}, scripted", partial(added, wire, 2 if args.quick else 5))
    found = recordings(1, 2) if args.quick else recordings(4, 4)
    material = Material(found, reference(found), CROWDS[:1] if args.quick else CROWDS)
    for case in cases(("tiny.en",) if args.quick else ("tiny.en", "base")):
        if args.only in case.name:
            rows += problems.attempt(f"{case.name}, {case.model}", partial(measure, case, material))
    rows = with_ratios(rows)
    show_added(scripted_rows)
    show(rows, sum(recording.seconds for recording in found))
    results = {"wires": [asdict(row) for row in rows], "added": [asdict(row) for row in scripted_rows]}
    sys.stdout.write(json.dumps({"machine": machine(), **results, "problems": problems}) + "\n")
    if any(problem.startswith(f"failed: {OURS}") for problem in problems):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
