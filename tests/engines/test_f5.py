"""F5-TTS against the reference implementation's numbers (scripts/parity/f5.py), on small networks with made weights."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support import f5_model
from support.engine_runs import in_turns, result, sound
from support.f5_model import SIZE, SYMBOLS, VOCODER_DEPTH, of_mlx, published, quantised, recording, write_model
from support.metal_arithmetic import metal_arithmetic

from speechmlx.engines import AIM, LoadOptions, f5
from speechmlx.engines.f5.engine import F5
from speechmlx.engines.f5.joining import FADE
from speechmlx.engines.f5.names import one_layout, shapes, size_of
from speechmlx.engines.f5.network import F5Network
from speechmlx.engines.f5.recording import prepared_voice
from speechmlx.engines.f5.sampling import METHODS, Sampling
from speechmlx.engines.f5.text import numbered, spelled
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.parts.pace import LayerPace, applied
from speechmlx.engines.parts.vocos import HOP, log_mel
from speechmlx.errors import BadRequest, SpeechError, UnknownVoice, Unsupported, WeightsDamaged
from speechmlx.types import Audio, Chunk, NamedVoice, ReferenceVoice, Speak, SpeakStream, Transcribe, Usage

DATA = Path(__file__).parent / "data"
REFERENCE = json.loads((DATA / "f5.json").read_text())
VERSIONS = ("version_0", "version_1")
PREFIX, TEXT = "Some call me nature. ", "Others call me mother nature, I hear."
FRAMES = 150
QUICK: dict[str, Any] = {"steps": 2, "cfg_strength": 2.0}


@pytest.fixture(scope="module")
def load(loaded: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, cold: LoadOptions) -> Callable[..., F5]:
    """load(version, weights) → the engine of a small model, through its conversion."""

    def make(version: str, weights: dict[str, Any] | None = None, options: LoadOptions = cold) -> F5:
        folder = write_model(tmp_path_factory.mktemp("f5"), version, weights)
        engine: F5 = loaded(f5.load(folder, options))
        return engine

    return make


@pytest.fixture(scope="module")
def engines(load: Callable[..., F5]) -> dict[str, F5]:
    return {version: load(version) for version in VERSIONS}


@pytest.fixture(scope="module")
def engine(engines: dict[str, F5]) -> F5:
    return engines["version_1"]


def agree(found: Any, wanted: list[Any], within: float = 1e-3) -> None:
    for one, other in f5_model.told(found, wanted):
        assert np.allclose(one, other, rtol=within, atol=within), (one, other)


def voice(seconds: float = 0.8, text: str = "Some call me nature.", rate: int = 24_000) -> ReferenceVoice:
    return ReferenceVoice(Audio(recording(seconds), rate), text, f"{seconds}{text}{rate}")


# --- The reference's numbers -----------------------------------------------------------------------------------------


def test_the_spectrogram_and_the_vocoder_are_the_reference_s(engine: F5) -> None:
    mel = log_mel(recording())
    agree(mel, REFERENCE["mel"])
    agree(engine.vocoder(mx.array(mel)[None]), REFERENCE["vocos"])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_network_is_the_reference_s(engines: dict[str, F5], version: str) -> None:
    network, wanted = engines[version].network, REFERENCE[version]
    mel = mx.array(log_mel(recording()))
    given = network.conditions(mel, mx.array(numbered(PREFIX + TEXT, engines[version].symbols)), FRAMES, guided=True)
    agree(given.text[0], wanted["text"])
    agree(given.text[1], wanted["no_text"])
    agree(applied(network.layers(0.3, given), mx.array(np.stack([noise()] * 2))), wanted["direction"])


def noise() -> Any:
    return np.random.RandomState(7).standard_normal((FRAMES, SIZE.bands)).astype(np.float32)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("steps", "guidance"), [(4, 2.0), (5, 0.0)])
def test_the_whole_path_is_the_reference_s(engines: dict[str, F5], version: str, steps: int, guidance: float) -> None:
    engine, wanted = engines[version], REFERENCE[version]
    mel = mx.array(log_mel(recording()))
    given = engine.network.conditions(
        mel, mx.array(numbered(PREFIX + TEXT, engine.symbols)), FRAMES, guided=guidance > 0
    )
    sampling = Sampling("euler", steps, guidance, -1.0, 0)
    sampled = result(sampling.follow(mx.array(noise()), partial(engine._direction, given, guidance)))
    sampled = mx.concatenate([mel, sampled[len(mel) :]])
    agree(sampled, wanted[f"sampled_{steps}"], 1e-2)  # several hundred sums follow each other
    agree(engine.vocoder(sampled[len(recording()) // HOP :][None]), wanted[f"said_{steps}"], 1e-2)


def test_texts_are_spelled_as_the_reference_spells_them() -> None:
    has_chinese = find_spec("jieba") is not None and find_spec("pypinyin") is not None
    for text, wanted in zip(REFERENCE["texts"], REFERENCE["spelled"], strict=True):
        if has_chinese or not any("\u4e00" <= letter <= "\u9fff" for letter in text):
            assert spelled(text) == wanted
        else:
            with pytest.raises(Unsupported, match="extras install zh"):
                spelled(text)


# --- Checkpoints -----------------------------------------------------------------------------------------------------


def full_size() -> dict[str, mx.array]:
    """The published checkpoint's names with arrays of its shapes, which take no memory."""
    listed = json.loads(gzip.decompress((DATA / "f5_names.json.gz").read_bytes()))
    return {name: mx.broadcast_to(mx.array(0.0, mx.float16), shape) for name, shape in listed.items()}


def test_every_tensor_of_the_published_checkpoint_is_taken() -> None:
    weights = full_size()
    assert len(weights) == 364
    one = one_layout({f"ema_model.{name}": array for name, array in weights.items()})
    size = size_of(one)
    assert (size.width, size.depth, size.heads, size.symbols, size.bands) == (1024, 22, 16, 2546, 100)
    assert len(one) == len(weights) - 1, "all but the turns of the places, which are computed"
    again = one_layout(of_mlx({f"ema_model.{name}": array for name, array in weights.items()}))
    assert {name: array.shape for name, array in again.items()} == shapes(size)


def test_four_layouts_speak_alike(load: Callable[..., F5], engines: dict[str, F5]) -> None:
    request = Speak(text=TEXT, options=QUICK)
    plain = load("version_0", of_mlx(published()))
    assert np.array_equal(sound(plain.run(request)), sound(engines["version_0"].run(request)))
    packed = load("mlx", {name: np.array(array) for name, array in quantised(of_mlx(published())).items()})
    assert packed.network.nbytes < 0.6 * plain.network.nbytes
    assert (packed.method, packed.steps) == ("rk4", 8)
    wanted = sound(plain.run(Speak(text=TEXT, options={**QUICK, "method": "rk4"})))
    found = sound(packed.run(Speak(text=TEXT, options=QUICK)))
    assert len(found) == len(wanted) and np.corrcoef(found, wanted)[0, 1] > 0.9


def test_other_weights_are_refused_by_name(load: Callable[..., F5]) -> None:
    weights = published()
    extra = {**weights, "ema_model.transformer.long_skip_connection.weight": np.ones((2, 2), np.float32)}
    with pytest.raises(WeightsDamaged, match=r"long_skip_connection.weight' is \(2, 2\), not there"):
        load("version_1", extra)
    with pytest.raises(WeightsDamaged, match=r"no 'proj_out.bias'"):
        load("version_1", {name: array for name, array in weights.items() if "proj_out.bias" not in name})
    turned = dict(weights)
    turned["ema_model.transformer.proj_out.weight"] = turned["ema_model.transformer.proj_out.weight"].T
    with pytest.raises(WeightsDamaged, match=r"proj_out.weight' is \(64, 100\), not \(100, 64\)"):
        load("version_1", turned)
    with pytest.raises(WeightsDamaged, match="not finite"):
        load("version_1", {**weights, "ema_model.transformer.proj_out.bias": np.full(100, np.nan, np.float32)})


# --- Requests --------------------------------------------------------------------------------------------------------


def test_a_text_is_spoken_as_long_as_the_recording_s_pace_says(engine: F5) -> None:
    known = engine.knows(voice())
    for speed in (0.5, 1.0, 2.0):
        events = list(engine.run(Speak(text=TEXT, voice=voice(), speed=speed, options=QUICK)))
        seconds = sum(event.duration for event in events if isinstance(event, Chunk))
        expected = len(TEXT) / len(known.text) * known.frames * HOP / 24_000 / speed
        assert seconds == pytest.approx(expected, abs=2 * HOP / 24_000)
        assert isinstance(events[-1], Usage) and events[-1].audio_out == pytest.approx(seconds)


def test_the_loudness_follows_the_recording(engine: F5) -> None:
    loud = dataclasses.replace(voice(), audio=Audio(8 * recording(), 24_000), id="loud")
    quiet = dataclasses.replace(voice(), audio=Audio(recording() / np.float32(2), 24_000), id="quiet")
    rms = [
        float(np.sqrt(np.mean(sound(engine.run(Speak(text=TEXT, voice=v, options=QUICK))) ** 2))) for v in (loud, quiet)
    ]
    assert rms[0] > 2 * rms[1]


def test_a_seed_is_a_take(engine: F5) -> None:
    takes = [sound(engine.run(Speak(text=TEXT, options={**QUICK, "seed": seed}))) for seed in (0, 0, 1)]
    assert np.array_equal(takes[0], takes[1]) and not np.array_equal(takes[0], takes[2])


def speech(engine: F5, steps: int, method: str) -> Any:
    options = {"steps": steps, "method": method, "sway_sampling_coef": 0}
    return sound(engine.run(Speak(text="I hear you.", options=options)))


@pytest.fixture(scope="module")
def exact(engine: F5) -> Any:
    return speech(engine, 12, "rk4")


@pytest.mark.parametrize("method", METHODS)
def test_more_steps_come_closer(engine: F5, exact: Any, method: str) -> None:
    few, more = (np.abs(speech(engine, steps, method) - exact).mean() for steps in (1, 4))
    assert more < few / 2


def test_long_text_comes_piece_by_piece(engine: F5) -> None:
    known = dataclasses.replace(engine.knows(voice()), room=25)
    long = dataclasses.replace(voice(), id="long")
    engine.known.get((long.id, long.text), lambda: known)
    text = "Some call me nature. Others call me mother nature, I hear, and others do not."
    pieces = ["Some call me nature.", "Others call me mother", "nature, I hear,", "and others do not."]
    assert known.pieces(text, 1.0) == pieces
    events = list(engine.run(Speak(text=text, voice=long, options=QUICK)))
    assert len([event for event in events if isinstance(event, Chunk)]) == len(pieces) + 1
    lone = sum(len(sound(engine.run(Speak(text=piece, voice=long, options=QUICK)))) for piece in pieces)
    assert len(sound(events)) == lone - 3 * FADE, "pieces fade into each other"


def test_a_pause_is_silent(engine: F5) -> None:
    samples = sound(engine.run(Speak(text="I hear. [pause:2s] I call.", options=QUICK)))
    silent = np.flatnonzero(np.convolve(samples != 0, np.ones(48_000), "valid") == 0)
    assert len(silent) >= 1 and 0 < silent[0] < len(samples) - 48_000


def test_a_stream_of_text_speaks_each_sentence_when_it_is_whole(engine: F5) -> None:
    stream = engine.open(SpeakStream(options=QUICK))
    first = list(stream.feed_text("Some call me nature. Others"))
    assert [event for event in first if isinstance(event, Chunk)]
    rest = [*stream.feed_text(" call me mother."), *stream.finish()]
    stream.close()
    assert isinstance(rest[-1], Usage) and rest[-1].audio_out > 0.5


def test_two_jobs_step_by_step_are_two_lone_ones_whatever_the_pace(engine: F5) -> None:
    requests = [Speak(text=TEXT, options=QUICK), Speak(text="I hear.", voice=voice(1.2), options={**QUICK, "seed": 4})]
    alone = [sound(engine.run(request)) for request in requests]
    for one, both in zip(alone, in_turns(engine, *requests), strict=True):
        assert np.array_equal(one, sound(both))


def test_a_cancelled_job_leaves_nothing(engine: F5) -> None:
    sound(engine.run(Speak(text="Nature.", options=QUICK)))
    mx.clear_cache()
    before = mx.get_active_memory()
    job = engine.run(Speak(text=TEXT * 3, options={"steps": 8}))
    for _ in range(8):
        next(job)
    assert mx.get_active_memory() > before
    job.close()  # type: ignore[attr-defined]
    del job
    mx.clear_cache()
    assert mx.get_active_memory() <= before


def test_a_step_is_part_of_the_network(engine: F5) -> None:
    """The fewest blocks a step of 10 s a unit, in the network as in the vocoder."""
    slow = dataclasses.replace(engine, pace=LayerPace(clock=count(step=10).__next__))
    slow.aim = AIM
    steps = sum(event is None for event in slow.run(Speak(text=TEXT, options={"steps": 4})))
    assert steps >= 3 * SIZE.depth + VOCODER_DEPTH


def test_steps_get_shorter_where_blocks_get_slower(engine: F5, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that only blocks move: all three in a step of 90 ms would be too long."""
    now, block = [0.0], F5Network._block
    seconds = [0.001]

    def timed(*args: Any) -> mx.array:
        now[0] += seconds[0]
        return block(*args)

    monkeypatch.setattr(F5Network, "_block", timed)
    paced = dataclasses.replace(engine, pace=LayerPace(clock=lambda: now[0]))
    paced.aim, found = AIM, list[float]()
    for seconds[0] in (0.001, 0.03):
        found, before = [], now[0]
        for _ in paced.run(Speak(text=TEXT, options={"steps": 8})):
            found.append(now[0] - before)
            before = now[0]
        if seconds[0] < AIM / SIZE.depth:
            assert max(found) == pytest.approx(SIZE.depth * seconds[0])
    assert max(found[len(found) // 2 :]) == pytest.approx(0.03)


def test_numbers_that_are_none_are_an_error(load: Callable[..., F5]) -> None:
    weights = published()
    weights["ema_model.transformer.proj_out.bias"] = np.full(100, 3e38, np.float32)
    with pytest.raises(NotFinite):
        list(load("version_1", weights).run(Speak(text=TEXT, options=QUICK)))


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"options": {"nfe": 3}}, Unsupported, "its options are steps, cfg_strength, sway_sampling_coef, seed, method"),
        ({"options": {"steps": 0}}, BadRequest, "steps must be a whole number from 1 to 100, not 0"),
        ({"options": {"steps": 2.5}}, BadRequest, "whole number"),
        ({"options": {"cfg_strength": "high"}}, BadRequest, "cfg_strength must be a number from 0 to 10"),
        ({"options": {"method": "heun"}}, BadRequest, "method must be euler, midpoint, rk4"),
        ({"speed": 9}, BadRequest, "0.25 to 4"),
        ({"language": "de"}, Unsupported, "en and zh"),
        ({"voice": NamedVoice("nobody")}, UnknownVoice, "basic_en"),
        ({"voice": voice(text=" ")}, BadRequest, "'prompt_text' with 'prompt_speech'"),
        ({"voice": voice(16.0)}, BadRequest, "has 16.0 s; F5-TTS imitates 15 s at most"),
        ({"voice": voice(text="a" * 500)}, BadRequest, "does not belong to"),
        (
            {"voice": dataclasses.replace(voice(), audio=Audio(np.zeros(24_000, np.float32), 24_000))},
            BadRequest,
            "no sound",
        ),
        ({"text": " "}, BadRequest, "no word"),
    ],
)
def test_what_cannot_be_done_is_said(engine: F5, changed: dict[str, Any], error: type[SpeechError], says: str) -> None:
    engine.known = type(engine.known)(8)
    with pytest.raises(error, match=says):
        list(engine.run(Speak(**{"text": TEXT, "options": QUICK, **changed})))


def test_other_requests_are_refused(engine: F5) -> None:
    with pytest.raises(Unsupported, match="Speak"):
        engine.run(Transcribe(audio=Audio(recording(), 24_000)))
    with pytest.raises(Unsupported, match="SpeakStream"):
        engine.open(Speak(text=TEXT))


def test_a_model_without_voices_says_how_to_give_one(engine: F5) -> None:
    bare = dataclasses.replace(engine, voices={})
    with pytest.raises(BadRequest, match=r"'prompt_speech' of a form .* POST /v1/audio/voices"):
        bare.run(Speak(text=TEXT))
    with pytest.raises(UnknownVoice, match="own are none"):
        bare.run(Speak(text=TEXT, voice=NamedVoice("nobody")))


def test_marks_alone_are_a_short_silence(engine: F5) -> None:
    events = list(engine.run(Speak(text="…")))
    assert not sound(events).any() and isinstance(events[-1], Usage)


def test_a_recording_is_cut_at_its_edges_and_known_once(engine: F5) -> None:
    silence = np.zeros(24_000, np.float32)
    long = dataclasses.replace(voice(), audio=Audio(np.concatenate([silence, recording(), silence]), 24_000), id="long")
    known = prepared_voice(long.audio, long.text)
    assert known.frames * HOP / 24_000 == pytest.approx(0.8 + 0.05, abs=0.03)
    assert known.text == "Some call me nature.  "
    assert engine.knows(long) is engine.knows(long)


def test_float16_speaks_like_float32(load: Callable[..., F5], engine: F5) -> None:
    """With Metal's arithmetic, as on a GPU; the vocoder and the sums of steps stay in float32."""
    request = Speak(text=TEXT, options=QUICK)
    with metal_arithmetic():
        narrow = load("version_1", options=LoadOptions(dtype="float16", device="gpu", warm_up=False))
        assert narrow.network.nbytes * 2 == engine.network.nbytes and narrow.vocoder.nbytes == engine.vocoder.nbytes
        mel = mx.array(log_mel(recording()))
        given = narrow.network.conditions(mel, mx.array(numbered(TEXT, narrow.symbols)), FRAMES, guided=True)
        x = mx.array(np.stack([noise()] * 2)).astype(mx.float16)
        for layer in narrow.network.layers(0.3, given):
            x = layer(x)
            assert x.dtype == mx.float16
        found = sound(narrow.run(request))
    wanted = sound(engine.run(request))
    assert len(found) == len(wanted) and np.corrcoef(found, wanted)[0, 1] > 0.99


def test_a_loaded_model_has_spoken(load: Callable[..., F5], options: LoadOptions) -> None:
    warm = load("version_1", options=dataclasses.replace(options, warm_up=True))
    assert len(warm.known) == 1 and len(SYMBOLS) == len(warm.symbols)
