from __future__ import annotations

from itertools import pairwise

import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.test_families import alone, interleaved, noise

from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import Diarize, DiarizeStream, KnownSpeaker, Speak, SpeakerOptions, SpeakerTurn, Usage

FAMILIES = ("vad/sortformer", "vad/nemotron_diarization")


def live(engine: object, seconds: float, seed: int, piece: int) -> list[object]:
    """The events of a stream that is fed `piece` samples at a time."""
    stream, samples = engine.open(DiarizeStream()), noise(seconds, seed).samples  # type: ignore[attr-defined]
    events = [event for at in range(0, len(samples), piece) for event in stream.feed(samples[at : at + piece])]
    events += [*stream.finish()]
    stream.close()
    return [event for event in events if event is not None]


@pytest.mark.parametrize("name", FAMILIES)
def test_live_turns_follow_each_other(bridged: Load, name: str) -> None:
    engine = bridged(name)
    *turns, usage = live(engine, 5.0, 0, 1600)
    assert usage == Usage(audio_in=5.0)
    assert all(isinstance(turn, SpeakerTurn) for turn in turns)
    found = [turn for turn in turns if isinstance(turn, SpeakerTurn)]
    assert found[0].start == 0 and found[-1].end == pytest.approx(5.0, abs=0.1)
    assert all(before.end == pytest.approx(after.start) for before, after in pairwise(found))
    assert {turn.speaker for turn in found} - {""}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_size_of_the_pieces_says_nothing(bridged: Load, name: str) -> None:
    engine = bridged(name)
    assert live(engine, 4.5, 1, 1600) == live(engine, 4.5, 1, 40000)


@pytest.mark.parametrize("name", FAMILIES)
def test_streams_of_one_model_do_not_meet(bridged: Load, every_layer: None, name: str) -> None:
    engine = bridged(name)
    samples = [noise(2.0, seed).samples for seed in (0, 1)]
    lone = []
    for one in samples:
        stream = engine.open(DiarizeStream())
        lone.append([*alone(stream.feed(one)), *alone(stream.finish())])
    streams = [engine.open(DiarizeStream()) for _ in samples]
    first = interleaved([stream.feed(one) for stream, one in zip(streams, samples, strict=True)])
    last = interleaved([stream.finish() for stream in streams])
    assert [before + after for before, after in zip(first, last, strict=True)] == lone


def test_a_long_recording_is_worked_on_in_blocks(bridged: Load) -> None:
    events = alone(bridged("vad/sortformer").run(Diarize(audio=noise(32, 0))))
    assert events[-1] == Usage(audio_in=32.0)
    assert max(turn.end for turn in events[:-1]) == pytest.approx(32, abs=0.1)
    assert [turn.start for turn in events[:-1]] == sorted(turn.start for turn in events[:-1])
    assert events[0].speaker == "0"


def test_bad_input(bridged: Load) -> None:
    engine, audio = bridged("vad/sortformer"), noise(1, 0)
    with pytest.raises(BadRequest, match="takes audio at 16000 Hz, not 8000"):
        engine.run(Diarize(audio=noise(1, 0, 8000)))
    with pytest.raises(Unsupported, match="knows no speakers by their voice"):
        engine.open(DiarizeStream(speakers=SpeakerOptions(known=(KnownSpeaker("Ann", audio),))))
    with pytest.raises(Unsupported, match="takes no max_speakers"):
        engine.run(Diarize(audio=audio, speakers=SpeakerOptions(max_speakers=2)))
    with pytest.raises(Unsupported, match="sortformer tells speakers apart; it cannot speak"):
        engine.run(Speak(text="x"))
