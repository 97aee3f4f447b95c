from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.test_families import alone, interleaved, noise
from support import tiny_bridge

from speechmlx.engines import LoadOptions, mlx_audio
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.diarization import Diarizer, FrameTurns
from speechmlx.engines.mlx_audio.speaker_frames import LIVE, WHOLE, ContinuousPieces
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import Diarize, DiarizeStream, KnownSpeaker, Speak, SpeakerOptions, SpeakerTurn, Usage

FAMILIES = ("vad/sortformer", "vad/nemotron_diarization", "sortformer 1")
MEMORY = {"spkcache_len": 40, "fifo_len": 16, "spkcache_update_period": 6}
Made = Callable[..., Any]


@pytest.fixture(scope="module")
def made(
    bridged: Load, loaded: Callable[..., Any], options: LoadOptions, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    """The engine of a tiny model by its name; of a Sortformer too whose config.json says something else."""
    engines: dict[str, Any] = {}

    def make(name: str, **changes: Any) -> Any:
        if name not in engines and name.startswith("vad/"):
            engines[name] = bridged(name)
        if name not in engines:
            folder = tiny_bridge.write("vad/sortformer", tmp_path_factory.mktemp("sortformer") / "weights")
            config = json.loads((folder / "config.json").read_text())
            config["modules_config"] |= changes or {"use_aosc": False}
            (folder / "config.json").write_text(json.dumps(config))
            engines[name] = loaded(mlx_audio.load(folder, options))
        return engines[name]

    return make


def found(engine: Diarizer, samples: Any, live: bool, piece: int = 16000) -> Any:
    """The probabilities [frames, speakers] of a whole input."""
    frames = FrameTurns(engine, live=live)
    blocks = [block for at in range(0, len(samples), piece) for block in frames.push(samples[at : at + piece])]
    blocks += frames.rest()
    assert [first for first, _ in blocks] == [sum(len(rows) for _, rows in blocks[:at]) for at in range(len(blocks))]
    return np.concatenate([rows for _, rows in blocks])


def live(engine: object, seconds: float, seed: int, piece: int) -> list[object]:
    """The events of a stream that is fed `piece` samples at a time."""
    stream, samples = engine.open(DiarizeStream()), noise(seconds, seed).samples  # type: ignore[attr-defined]
    events = [event for at in range(0, len(samples), piece) for event in stream.feed(samples[at : at + piece])]
    events += [*stream.finish()]
    stream.close()
    return [event for event in events if event is not None]


@pytest.mark.parametrize("name", FAMILIES)
def test_live_turns_follow_each_other(made: Made, name: str) -> None:
    engine = made(name)
    *turns, usage = live(engine, 5.0, 0, 1600)
    assert usage == Usage(audio_in=5.0)
    assert all(isinstance(turn, SpeakerTurn) for turn in turns)
    told = [turn for turn in turns if isinstance(turn, SpeakerTurn)]
    assert told[0].start == 0 and told[-1].end == 5.0
    assert all(before.end == pytest.approx(after.start) for before, after in pairwise(told))
    assert {turn.speaker for turn in told} - {""}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_size_of_the_pieces_says_nothing(made: Made, name: str) -> None:
    engine = made(name)
    assert live(engine, 4.5, 1, 1600) == live(engine, 4.5, 1, 40000) == live(engine, 4.5, 1, 777)


@pytest.mark.parametrize("name", FAMILIES)
def test_streams_of_one_model_do_not_meet(made: Made, every_layer: None, name: str) -> None:
    engine = made(name)
    samples = [noise(2.0, seed).samples for seed in (0, 1)]
    lone = []
    for one in samples:
        stream = engine.open(DiarizeStream())
        lone.append([*alone(stream.feed(one)), *alone(stream.finish())])
    streams = [engine.open(DiarizeStream()) for _ in samples]
    first = interleaved([stream.feed(one) for stream, one in zip(streams, samples, strict=True)])
    last = interleaved([stream.finish() for stream in streams])
    assert [before + after for before, after in zip(first, last, strict=True)] == lone


@pytest.mark.parametrize(("seconds", "is_live"), [(0.005, True), (1.28, True), (6.4, True), (4.5, False), (31, False)])
def test_pieces_give_what_the_whole_file_would_give(bridged: Load, seconds: float, is_live: bool) -> None:
    """Sortformer 2: pieces of one spectrum with what is behind them, as the package has them of a file in memory."""
    engine, samples = bridged("vad/sortformer"), noise(seconds, 3).samples
    outputs = list(engine.checkpoint.model.generate_stream(samples, chunk_duration=LIVE if is_live else WHOLE))
    expected = np.concatenate([np.array(output.speaker_probs) for output in outputs])
    own = found(engine, samples, is_live)
    assert len(own) == -(-len(samples) // 1280) and np.abs(own - expected[: len(own)]).max() < 1e-5


def test_another_family_hears_what_the_whole_file_would_give(bridged: Load) -> None:
    """Nemotron: a recording by its own settings, a stream by those of a second's delay."""
    engine, samples = bridged("vad/nemotron_diarization"), noise(4.5, 3).samples
    for is_live in (False, True):
        model = structural_clone(engine.checkpoint.model)
        if is_live:
            model.set_streaming_config("low")
        expected = np.array(model.generate(mx.array(samples)).speaker_probs)
        assert np.abs(found(engine, samples, is_live) - expected).max() < 1e-5
    assert engine.checkpoint.model.config.modules_config.chunk_len == 3


def test_sortformer_1_hears_a_recording_whole(made: Made) -> None:
    """At its own level and with its own mean, as the package does it offline."""
    engine, samples = made("sortformer 1"), noise(19.83, 3).samples  # the package cuts or fills up others
    expected = np.array(engine.checkpoint.model.generate(samples).speaker_probs)
    own = found(engine, samples, live=False)
    assert len(own) == 248 and np.abs(own - expected[: len(own)]).max() < 1e-5
    assert np.abs(own[:200] - found(engine, samples, live=True)[:200]).max() > 0.001


def test_a_stream_remembers_a_bounded_part(made: Made) -> None:
    """Also where a piece is longer than what one update moves between the memories."""
    engine, samples = made("short memory", **MEMORY), noise(30, 0).samples
    for is_live in (True, False):
        frames = FrameTurns(engine, live=is_live)
        assert [rows for at in range(0, len(samples), 8000) for rows in frames.push(samples[at : at + 8000])]
        pieces = frames._frames
        assert isinstance(pieces, ContinuousPieces)
        assert pieces._state.fifo.shape[1] <= 16 and pieces._state.spkcache.shape[1] <= 40
        assert len(pieces._audio) < 16000 * (1.28 + 0.5 + 0.2 if is_live else 14.4 + 0.5 + 0.2)


def test_no_more_speakers_than_asked_for(bridged: Load) -> None:
    """Of a recording and of a stream; more than the model knows is no limit."""
    engine, audio = bridged("vad/sortformer"), noise(5, 0)
    names = {}
    for most in (None, 1, 9):
        options = SpeakerOptions(max_speakers=most)
        stream = engine.open(DiarizeStream(speakers=options))
        told = alone(stream.feed(audio.samples)) + alone(stream.finish())
        turns = alone(engine.run(Diarize(audio=audio, speakers=options)))
        names[most] = [{turn.speaker for turn in events[:-1]} - {""} for events in (told, turns)]
    assert names[1] == [{"0"}, {"0"}] and names[9] == names[None]
    assert len(names[None][1]) > 1


def test_silence_is_nobody(made: Made) -> None:
    for name in FAMILIES:
        stream = made(name).open(DiarizeStream())
        events = alone(stream.feed(np.zeros(40000, np.float32))) + alone(stream.finish())
        assert events[-2].end == 2.5 and all(turn.start < turn.end for turn in events[:-1])


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
    with pytest.raises(Unsupported, match="sortformer tells speakers apart; it cannot speak"):
        engine.run(Speak(text="x"))
