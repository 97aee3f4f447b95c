"""ECAPA-TDNN: SpeechBrain's numbers, and who speaks when in real recordings, whole and live."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest
import soundfile
from support import clips
from support.diarization import errors

from speechmlx.engines import LoadOptions, Running, Streaming, ecapa
from speechmlx.engines.ecapa.engine import Ecapa
from speechmlx.engines.ecapa.features import RATE, band_levels
from speechmlx.engines.ecapa.stream import KEPT, DiarizationStream
from speechmlx.errors import BadRequest, ModelUnavailable, Unsupported
from speechmlx.types import (
    Audio,
    DetectSpeech,
    Diarize,
    DiarizeStream,
    KnownSpeaker,
    SpeakerOptions,
    SpeakerTurn,
    Usage,
)

if TYPE_CHECKING:
    from speechmlx.types import Event, Samples

REFERENCE = json.loads((Path(__file__).parent / "data" / "ecapa.json").read_text())
START = 0.5
PAUSE = np.zeros(round(0.6 * RATE), np.float32)
LATENCY = 2.0


@pytest.fixture(scope="module")
def engine(model_folder: Callable[[str], Path], loaded: Callable[..., Any], options: LoadOptions) -> Ecapa:
    return loaded(ecapa.load(model_folder("ecapa-diarizer"), options))


def clip(name: str, start: float = 0.0, end: float = 60.0) -> Samples:
    samples, rate = soundfile.read(clips.path(name), dtype="float32")
    assert rate == RATE
    return samples[round(start * RATE) : round(end * RATE)]


def dialogue(*parts: Samples) -> tuple[Samples, list[SpeakerTurn]]:
    """Parts said one after another by two speakers in turn, and their turns."""
    turns, pieces, at = [], [], 0
    for number, part in enumerate(parts):
        turns.append(SpeakerTurn(at / RATE, (at + len(part)) / RATE, "AB"[number % 2]))
        pieces += [part, PAUSE]
        at += len(part) + len(PAUSE)
    return np.concatenate(pieces), turns


@pytest.fixture(scope="module")
def two() -> tuple[Samples, list[SpeakerTurn]]:
    """Kennedy and a reader of LibriSpeech."""
    return dialogue(
        clip("jfk", 0.3, 2.2), clip("librispeech", 0.3, 3.3), clip("jfk", 5.4, 7.6), clip("librispeech", 0.3)
    )


def diarize(engine: Ecapa, samples: Samples, **options: Any) -> list[SpeakerTurn]:
    """The turns, which must be in the recording; the last event must be its usage."""
    *events, usage = filter(None, engine.run(Diarize(audio=Audio(samples, RATE), speakers=SpeakerOptions(**options))))
    assert usage == Usage(audio_in=len(samples) / RATE)
    turns = [event for event in events if isinstance(event, SpeakerTurn)]
    assert turns == events and all(0 <= turn.start < turn.end <= len(samples) / RATE + 0.032 for turn in turns)
    assert all(one.end <= after.start + 1e-9 for one, after in pairwise(turns))
    return turns


def follow(engine: Ecapa, samples: Samples, piece: int = 1600, **options: Any) -> list[tuple[float, SpeakerTurn]]:
    """The turns of a live stream, each with the seconds of audio fed when it came. They must tile time."""
    stream = engine.open(DiarizeStream(speakers=SpeakerOptions(**options)))
    came: list[tuple[float, Event]] = []
    for start in range(0, len(samples), piece):
        fed = samples[start : start + piece]
        came += [((start + len(fed)) / RATE, event) for event in stream.feed(fed) if event]
    came += [(len(samples) / RATE, event) for event in stream.finish() if event]
    stream.close()
    assert came.pop()[1] == Usage(audio_in=len(samples) / RATE)
    turns = [(at, event) for at, event in came if isinstance(event, SpeakerTurn)]
    assert len(turns) == len(came)
    edges = [0.0, *(turn.end for _, turn in turns)]
    assert [turn.start for _, turn in turns] == edges[:-1]
    assert edges[-1] == pytest.approx(len(samples) / RATE, abs=1e-6)
    return turns


def speakers(turns: Iterable[SpeakerTurn]) -> list[str]:
    """Who speaks, in the order of their first turns."""
    return list(dict.fromkeys(turn.speaker for turn in turns if turn.speaker))


# --- The network ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFERENCE)
def test_the_numbers_are_speechbrain_s(engine: Ecapa, name: str) -> None:
    which, seconds = name.split()
    samples = clip(which, START, START + float(seconds))
    levels = band_levels(samples[None])
    assert np.abs(levels[0, ::10, ::8] - np.array(REFERENCE[name]["features"])).max() < 1e-3
    assert np.abs(engine.embed(samples[None])[0] - np.array(REFERENCE[name]["embedding"])).max() < 1e-4


def test_windows_together_are_as_alone(engine: Ecapa) -> None:
    windows = np.stack([clip("jfk", at, at + 1.5) for at in (0.3, 3.0, 8.0)])
    together = engine.embed(windows)
    assert np.abs(together - np.concatenate([engine.embed(window[None]) for window in windows])).max() < 1e-4


def test_voices_are_told_apart_however_loud(engine: Ecapa) -> None:
    jfk, again, quiet, reader = engine.embed(
        np.stack(
            [clip("jfk", 0.4, 1.9), clip("jfk", 8.3, 9.8), clip("jfk", 0.4, 1.9) / 50, clip("librispeech", 1.0, 2.5)]
        )
    )
    assert jfk @ quiet > 0.99 and jfk @ again > jfk @ reader + 0.2


# --- Whole recordings ----------------------------------------------------------------------------------------------


def test_who_speaks_when_in_a_telephone_call(engine: Ecapa) -> None:
    """Two women on one line, who talk at once in a tenth of it."""
    truth = [SpeakerTurn(*turn) for turn in clips.CONVERSATION]
    found = diarize(engine, clip("conversation"), max_speakers=2)
    assert speakers(found) == ["0", "1"]
    assert errors(truth, found, overlaps=False).rate < 0.12


def test_who_speaks_when_in_a_dialogue(engine: Ecapa, two: tuple[Samples, list[SpeakerTurn]]) -> None:
    samples, truth = two
    found = diarize(engine, samples)
    assert speakers(found) == ["0", "1"] and errors(truth, found).rate < 0.05


def test_one_speaker_is_one(engine: Ecapa) -> None:
    assert speakers(diarize(engine, clip("jfk"))) == ["0"]


def test_a_limit_of_speakers_is_kept(engine: Ecapa, two: tuple[Samples, list[SpeakerTurn]]) -> None:
    assert speakers(diarize(engine, two[0], max_speakers=1)) == ["0"]


def test_known_speakers_are_named(engine: Ecapa, two: tuple[Samples, list[SpeakerTurn]]) -> None:
    """Another part of the speech, and somebody who is not there."""
    known = (
        KnownSpeaker("Nobody", Audio(clip("beckett"), RATE)),
        KnownSpeaker("Kennedy", Audio(clip("jfk", 8.0), RATE)),
    )
    assert speakers(diarize(engine, two[0], known=known)) == ["Kennedy", "0"]
    assert speakers(turn for _, turn in follow(engine, two[0], known=known)) == ["Kennedy", "0"]


def test_speech_over_speech_has_a_speaker(engine: Ecapa) -> None:
    one, other = clip("jfk", 0.3, 10.5), np.tile(clip("librispeech", 0.3, 3.3), 3)
    length = min(len(one), len(other))
    both = one[:length] + 0.7 * other[:length]
    assert 1 <= len(speakers(diarize(engine, both))) <= 3
    follow(engine, both)


MINUTE = 60 * RATE
NOISE = np.random.default_rng(0).standard_normal(MINUTE, dtype=np.float32)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, np.float32), np.zeros(1, np.float32), np.zeros(MINUTE, np.float32), 0.02 * NOISE, 0.0002 * NOISE],
    ids=["empty", "one sample", "silence", "noise", "faint noise"],
)
def test_nobody_speaks_where_nobody_does(engine: Ecapa, samples: Samples) -> None:
    assert diarize(engine, samples) == []
    assert speakers(turn for _, turn in follow(engine, samples)) == []


def test_a_word_of_200_ms_has_a_speaker(engine: Ecapa) -> None:
    word = np.concatenate([np.zeros(RATE, np.float32), clip("jfk", 0.45, 0.65), np.zeros(RATE, np.float32)])
    for turns in (diarize(engine, word), [turn for _, turn in follow(engine, word)]):
        (turn,) = [turn for turn in turns if turn.speaker]
        assert turn.speaker == "0" and turn.start == pytest.approx(1.0, abs=0.15) and turn.end - turn.start < 0.5


def test_steps_are_short(engine: Ecapa, two: tuple[Samples, list[SpeakerTurn]]) -> None:
    """A step embeds one window at most: there are as many as windows, and more."""
    steps = list(engine.run(Diarize(audio=Audio(two[0], RATE))))
    assert steps.count(None) > 15


# --- Live streams --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def came(engine: Ecapa, two: tuple[Samples, list[SpeakerTurn]]) -> list[tuple[float, SpeakerTurn]]:
    """What is told of the dialogue, and when."""
    return follow(engine, two[0])


def test_a_live_stream_hears_the_same_speakers_in_time(
    two: tuple[Samples, list[SpeakerTurn]], came: list[tuple[float, SpeakerTurn]]
) -> None:
    truth, turns = two[1], [turn for _, turn in came]
    assert speakers(turns)[:2] == ["0", "1"] and errors(truth, turns).rate < 0.15
    assert max(at - turn.start for at, turn in came if turn.speaker) <= LATENCY
    assert max(at - turn.end for at, turn in came) <= LATENCY


@pytest.mark.parametrize("piece", [333, 8000, 10**6])
def test_pieces_do_not_matter(
    engine: Ecapa, two: tuple[Samples, list[SpeakerTurn]], came: list[tuple[float, SpeakerTurn]], piece: int
) -> None:
    expected = [turn for _, turn in came if turn.speaker]
    found = [turn for _, turn in follow(engine, two[0], piece) if turn.speaker]
    assert [turn.speaker for turn in found] == [turn.speaker for turn in expected]
    assert [turn.end for turn in found] == pytest.approx([turn.end for turn in expected])


def test_memory_does_not_grow_with_the_stream(engine: Ecapa, two: tuple[Samples, list[SpeakerTurn]]) -> None:
    stream = engine.open(DiarizeStream())
    assert isinstance(stream, DiarizationStream)
    for _ in range(2):
        for start in range(0, len(two[0]), 1600):
            list(stream.feed(two[0][start : start + 1600]))
            assert len(stream._audio) < (2 * KEPT + LATENCY) * RATE
    for _ in range(20):
        list(stream.feed(np.zeros(RATE, np.float32)))
    assert len(stream._audio) < (KEPT + 1) * RATE and stream._speakers is not None
    assert len(stream._speakers.voices) <= 3


# --- The engine ----------------------------------------------------------------------------------------------------


def test_it_runs_and_streams_and_says_what_it_holds(engine: Ecapa) -> None:
    assert isinstance(engine, Running) and isinstance(engine, Streaming)
    assert 80e6 < engine.nbytes < 90e6


def test_what_it_cannot_do_is_refused(
    engine: Ecapa, tmp_path: Path, loaded: Callable[..., object], options: LoadOptions
) -> None:
    with pytest.raises(Unsupported, match="tells speakers apart"):
        engine.run(DetectSpeech())
    with pytest.raises(Unsupported, match="tells speakers apart"):
        engine.open(DetectSpeech())
    audio = Audio(np.zeros(800, np.float32), 8000)
    with pytest.raises(BadRequest, match="at 16000 Hz, not 8000"):
        engine.run(Diarize(audio=audio))
    with pytest.raises(BadRequest, match="at 16000 Hz, not 8000"):
        engine.open(DiarizeStream(speakers=SpeakerOptions((KnownSpeaker("Ann", audio),))))
    silent = SpeakerOptions((KnownSpeaker("Ann", Audio(np.zeros(RATE, np.float32), RATE)),))
    with pytest.raises(BadRequest, match="known speaker 'Ann' has no speech"):
        list(engine.run(Diarize(audio=Audio(clip("jfk"), RATE), speakers=silent)))
    twice = SpeakerOptions(2 * silent.known)
    with pytest.raises(BadRequest, match="different names, not Ann, Ann"):
        engine.run(Diarize(audio=Audio(clip("jfk"), RATE), speakers=twice))
    mx.save_safetensors(str(tmp_path / "model.safetensors"), {"other": mx.zeros(1)})
    with pytest.raises(ModelUnavailable, match="no ECAPA-TDNN"):
        loaded(ecapa.load(tmp_path, options))
