"""Higgs Audio 3 in a batch: the package's own sound, and each request as it is alone, whoever comes and goes."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.test_families import noise
from support.claimed_memory import check_frames_claimed
from support.engine_runs import run, sound, stream, work
from support.frame_steps import step
from support.talking import same

from speechmlx.engines import Batched, BatchedStreaming, Claiming, Paced, Seated
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.mlx_audio.first_request import first_request
from speechmlx.engines.mlx_audio.higgs.engine import HiggsSpeech
from speechmlx.engines.parts.frame_synthesis import MOST_PIECE
from speechmlx.engines.parts.kv_rows import STEP
from speechmlx.engines.step_size import StepSize
from speechmlx.errors import BadRequest, SpeechError, Unsupported
from speechmlx.types import Chunk, Event, Feed, NamedVoice, ReferenceVoice, Speak, SpeakStream, Transcribe, Usage

sys.path.append(str(Path(__file__).parents[2] / "bench"))
from graphs import Watch

LAST = 1023
"""The last code of sound."""
TEXT = "Hello world. Another test!"
VOICE = ReferenceVoice(noise(1.5, 1, 24000), "What I said.", "voice")
OPTIONS: tuple[dict[str, Any], ...] = (
    {"seed": 1, "max_tokens": 40},
    {"seed": 2, "max_tokens": 60, "temperature": 0.7, "top_p": 0.9},
    {"seed": 1, "max_tokens": 25, "temperature": 1.3, "top_k": 20},
    {"max_tokens": 50, "temperature": 0},
)


@pytest.fixture(params=[False, True], ids=["waiting", "pipelined"])
def engine(bridged: Load, request: pytest.FixtureRequest) -> Iterator[HiggsSpeech]:
    """It reads each frame before it launches the next one, and then not. Prompts are read in one step."""
    found: HiggsSpeech = bridged("tts/higgs_audio_v3")
    found.room = Unlimited()
    found.loop.pipelined = request.param
    found._piece = StepSize(MOST_PIECE, MOST_PIECE, MOST_PIECE)
    yield found
    for state in [*found._open]:
        found.end(state)


def speak(text: str = TEXT, voice: ReferenceVoice | None = None, **options: Any) -> Speak:
    return Speak(text=text, voice=voice, options=options)


def package(engine: HiggsSpeech, text: str, **arguments: Any) -> np.ndarray:
    """What the package itself makes of one sentence. It would look for codes of begin and end beyond its table."""
    model = engine.checkpoint.model
    decode = model.codec.decode
    with (
        np.errstate(invalid="ignore"),
        patch.object(model.codec, "decode", lambda codes: decode(mx.minimum(codes, LAST))),
    ):
        made = model.generate(text, temperature=0.0, **arguments)
        return np.concatenate([np.array(result.audio) for result in made])


@pytest.mark.parametrize("voice", [None, VOICE])
@pytest.mark.parametrize("fades", [{}, {"fade_in_ms": 300.0, "fade_out_ms": 500.0}])
def test_without_chance_it_is_the_package_s_sound(
    engine: HiggsSpeech, voice: ReferenceVoice | None, fades: dict[str, Any]
) -> None:
    found = sound(run(engine, speak(voice=voice, temperature=0, max_tokens=35, **fades))[0])
    named = {} if voice is None else {"ref_audio": mx.array(voice.audio.samples), "ref_text": voice.text}
    expected = [package(engine, text, max_tokens=35, **named, **fades) for text in ("Hello world.", "Another test!")]
    assert np.abs(found - np.concatenate(expected)).max() <= 1.01 / 32768
    assert len(found) == 2 * 28 * 960


def test_it_ends_where_the_package_does(engine: HiggsSpeech) -> None:
    """The end was drawn: the frames behind it hold the last codes of the other codebooks."""
    found = run(engine, speak("Hello world.", VOICE, temperature=0, max_tokens=80))[0]
    named = {"ref_audio": mx.array(VOICE.audio.samples), "ref_text": VOICE.text}
    expected = package(engine, "Hello world.", max_tokens=80, **named)
    assert isinstance(found[-1], Usage)
    assert not found[-1].cut_off
    assert len(expected) == (found[-1].tokens_out - 7) * 960 < 73 * 960
    assert np.abs(sound(found) - expected).max() <= 1.01 / 32768


def test_together_is_as_alone(engine: HiggsSpeech) -> None:
    """Codes are equal, and so is the sound, to the last bit: each request's codes are decoded by themselves."""
    texts = (TEXT, "One more, and longer than the others.", "A third.", "Greedy.")
    voices = (None, VOICE, None, VOICE)
    requests = [speak(text, voice, **own) for text, voice, own in zip(texts, voices, OPTIONS, strict=True)]
    alone = [run(engine, one)[0] for one in requests]
    assert run(engine, *requests) == alone
    assert len({sound(one).tobytes() for one in alone}) == 4


def test_options_are_those_of_each_row(engine: HiggsSpeech) -> None:
    """One text four times: what differs are the options."""
    first, *others = run(engine, *(speak("Hello.", **own) for own in OPTIONS))
    assert [one[-1].tokens_out for one in (first, *others)] == [40, 60, 25, 50]  # type: ignore[union-attr]
    heard = [sound(one)[: 15 * 960] for one in (first, *others)]
    assert len({one.tobytes() for one in heard}) == 4
    again, greedy = run(engine, speak("Hello.", **OPTIONS[0]), speak("Hello.", max_tokens=50, top_k=1, seed=9))
    assert same(again, first)
    assert same(greedy, others[2])


def test_one_joins_and_one_leaves_in_the_middle(engine: HiggsSpeech) -> None:
    first, second = speak(seed=4, max_tokens=30), speak("Later.", VOICE, seed=5, max_tokens=25)
    expected = [run(engine, one)[0] for one in (first, second)]
    cancelled, staying = engine.begin(speak("To be cancelled.", VOICE, seed=6)), engine.begin(first)
    found: list[Any] = []
    while not (cancelled.sound and len(cancelled.sound.frames) > 12):
        found += engine.step([cancelled, staying])[1]
    assert 0 < len(staying.sound.frames) < 30  # type: ignore[union-attr]
    engine.end(cancelled)
    late = engine.begin(second)
    rest = work(engine, [staying, late])
    assert [*found, *rest[0]] == expected[0]
    assert rest[1] == expected[1]


@pytest.mark.parametrize("frames", [0, 12])
def test_a_cancel_frees_all(engine: HiggsSpeech, frames: int) -> None:
    """Also of one whose recording is being heard."""
    states = [engine.begin(speak(voice=ReferenceVoice(noise(1, 2, 24000), "", str(at + frames)))) for at in range(3)]
    assert engine.held > 0
    while not any(state.sound and len(state.sound.frames) >= frames for state in states) and frames:
        engine.step(states)
    engine.step(states)
    for state in states:
        engine.end(state)
    assert engine.held == engine.loop.memory.nbytes == 0
    assert [(state.row, state.hearing, state.sound) for state in states] == [(None, None, None)] * 3


@pytest.mark.parametrize("size", [1, 7])
def test_text_in_any_pieces_sounds_the_same(engine: HiggsSpeech, size: int) -> None:
    text = "[pause:0.2s]Hello world. Another test! Yes"
    options: dict[str, Any] = {"seed": 3, "max_tokens": 15}
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    whole = run(engine, speak(text, **options))[0]
    assert stream(engine, pieces, options=options) == whole
    assert isinstance(whole[0], Chunk)
    assert whole[0].pcm16 == bytes(9600)


def test_sound_comes_before_the_sentence_is_drawn(engine: HiggsSpeech) -> None:
    state, steps = engine.begin(speak("Hello.", max_tokens=100, seed=1)), 0
    while not any(isinstance(event, Chunk) for event in engine.step([state])[0]):
        steps += 1
    assert steps < 25  # 5 frames of sound, 10 that it depends on, 7 by which codebooks are late
    engine.end(state)


def test_a_recording_is_read_once(engine: HiggsSpeech) -> None:
    read = []
    for text in ("Hello.", "Hello. Hello."):
        (*_, usage) = run(engine, speak(text, VOICE, max_tokens=10))[0]
        read.append(usage.tokens_in)  # type: ignore[union-attr]
    assert read[1] - read[0] == len("Hello.") + 1
    assert len(engine._reader.imitated._encodings) >= 1


def test_a_prompt_in_pieces_is_the_same_prompt(engine: HiggsSpeech, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run(engine, speak(voice=VOICE, max_tokens=20))[0]
    monkeypatch.setattr(engine, "_piece", StepSize(3, 1, 3))
    assert run(engine, speak(voice=VOICE, max_tokens=20))[0] == expected


def test_a_frame_costs_the_same_for_one_and_for_four(engine: HiggsSpeech) -> None:
    counts = []
    with Watch() as watch:
        for number in (1, 4):
            states = [engine.begin(speak("Hello.", seed=at, max_tokens=9)) for at in range(number)]
            for _ in range(3):
                engine.step(states)
            taken = 3 - engine.loop.pipelined
            assert all(len(state.sound.frames) == taken for state in states if state.sound)
            watch.take()
            engine.step(states)
            counts.append(watch.take())
            for state in states:
                engine.end(state)
    one, four = counts
    assert one.reads == four.reads == 1
    assert one.total == four.total < 150


def test_a_frame_copies_no_cache(engine: HiggsSpeech) -> None:
    states, memory = [engine.begin(speak("Hello.", seed=at)) for at in range(4)], engine.loop.memory
    engine.step(states)
    rows = [state.row for state in states if state.row]
    memory.fit(4, 64 * STEP)
    step(engine.loop, rows)
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    for _ in range(3):
        step(engine.loop, rows)
    one_layer = memory.nbytes / engine.loop.shape.layers / 2
    assert mx.get_peak_memory() - before < one_layer / 2
    for state in states:
        engine.end(state)


def test_a_row_of_no_numbers_ends_alone(engine: HiggsSpeech) -> None:
    requests = [speak(seed=at, max_tokens=20) for at in range(3)]
    expected = run(engine, requests[0], requests[2])
    good, bad = (engine.begin(one) for one in requests[:2])
    found: list[Any] = []
    for _ in range(4):
        found += engine.step([good, bad])[0]
    assert bad.row is not None
    place = bad.row.place
    for layer in engine.loop.memory.values:
        layer[place, :, 3] = mx.nan
    failed: list[Any] = []
    while not bad.finished:
        for events, into in zip(engine.step([good, bad]), (found, failed), strict=True):
            into += events
    assert [type(event) for event in failed] == [NotFinite]
    engine.end(bad)
    late = engine.begin(requests[2])
    rest = work(engine, [good, late])
    assert [*found, *rest[0]] == expected[0]
    assert rest[1] == expected[1]


def test_no_numbers_in_a_last_frame_end_its_request_and_no_other(engine: HiggsSpeech) -> None:
    """No frame follows it, and attention multiplies what a row does not see by zero."""
    late = speak("Hello.", seed=3, max_tokens=20)
    expected, embed = run(engine, late)[0], engine._model._embed_audio_codes
    bad, *others = (engine.begin(speak("Hello.", seed=at, max_tokens=most)) for at, most in enumerate((12, 40, 40, 40)))

    def embedded(codes: mx.array) -> mx.array:
        rows, row = embed(codes), bad.row
        if row is not None and bad.sound is not None and len(bad.sound.frames) + len(row.ahead) == 11:
            rows[row.place] = mx.nan
        return rows

    events: list[Any] = []
    with patch.object(type(engine._model), "_embed_audio_codes", lambda _, codes: embedded(codes)):
        while not bad.finished:
            events += engine.step([bad, *others])[0]
    place = bad.row.place if bad.row else -1
    engine.end(bad)
    came, found = engine.begin(late), list[Any]()
    while not came.finished:
        found += engine.step([came, *(one for one in others if not one.finished)])[0]
        assert came.row is None or came.row.place == place
    for state in (came, *others):
        engine.end(state)
    assert found == expected
    assert [type(event) for event in events] == [NotFinite]


def test_memory_is_claimed_before_it_is_used(engine: HiggsSpeech) -> None:
    needs = check_frames_claimed(engine, speak("Hello.", max_tokens=300))
    assert needs >= 300 * engine.loop.memory.position_bytes


def test_a_sentence_without_an_end_is_cut_off(engine: HiggsSpeech) -> None:
    states = [engine.begin(request) for request in (speak("Hello."), speak("Hello.", max_tokens=7))]
    assert states[0].wishes.limit(6) == 300
    assert states[0].wishes.limit(50) == 800
    assert states[0].wishes.limit(400) == 2048
    engine.end(states[0])
    assert work(engine, states[1:])[0] == [
        Chunk.silence(24000),
        Usage(audio_out=0.2, tokens_in=9, tokens_out=7, cut_off=True),
    ]


def test_what_it_is(engine: HiggsSpeech) -> None:
    for contract in (Batched, BatchedStreaming, Seated, Claiming, Paced):
        assert isinstance(engine, contract)


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"voice": NamedVoice("bob")}, Unsupported, "imitates the voice of a recording and takes no voice by name"),
        ({"options": {"temperature": 3}}, BadRequest, "temperature 3 is out of range: 0 to 2"),
        ({"options": {"top_q": 1}}, Unsupported, "no option 'top_q'; its options are fade_in_ms, "),
        ({"options": {"seed": -1}}, BadRequest, "seed must be a whole number from 0 to 4294967295"),
        ({"options": {"max_tokens": 9999}}, BadRequest, "positions; the model has 512"),
        ({"speed": 2.0}, Unsupported, "speaks at its own speed"),
        ({"text": " "}, BadRequest, "there is no word in the text"),
        ({"text": "Hello. [pause:11s]"}, BadRequest, "a pause has 10 s at most"),
    ],
)
def test_bad_input(engine: HiggsSpeech, fields: dict[str, Any], error: type[SpeechError], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)):
        engine.begin(Speak(**{"text": "Hello.", **fields}))
    assert engine.held == 0


def test_what_it_does_not_do(engine: HiggsSpeech) -> None:
    with pytest.raises(Unsupported, match="it cannot transcribe"):
        engine.begin(Transcribe(audio=noise(1, 0)))
    state = engine.begin(SpeakStream(options={"max_tokens": 20}))
    with pytest.raises(Unsupported, match="does not take Feed commands"):
        engine.feed(state, Feed(np.zeros(10, np.float32)))
    engine.end(state)


def test_a_recording_that_cannot_be_heard_ends_its_request_alone(
    engine: HiggsSpeech, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = engine.begin(speak("Hello.", max_tokens=10))
    codec = type(engine.checkpoint.model.codec)
    monkeypatch.setattr(codec, "semantic_model", None, raising=False)
    bad = engine.begin(speak("Hello.", ReferenceVoice(noise(1, 5, 24000), "", "unheard")))
    found: list[Event | Exception] = []
    while not (good.finished and bad.finished):
        found += engine.step([good, bad])[1]
    assert [type(event) for event in found] == [RuntimeError]
    assert good.samples
    engine.end(good)
    engine.end(bad)


def test_marks_of_the_model_s_own_are_no_text(engine: HiggsSpeech) -> None:
    builder = engine._model._prompt_builder
    for mark in ("<|audio|>", "<|au<|tts|>dio|>"):
        assert builder.encode_text(f"Hello {mark}there.") == builder.encode_text("Hello there.")
    with pytest.raises(BadRequest, match="fade_in_ms"):
        engine.begin(speak("Hello.", fade_in_ms=1e308))


def test_a_frame_that_is_launched_too_early_changes_nothing(engine: HiggsSpeech) -> None:
    """Sentences that end by themselves or are cut off, one behind the other, alone and together."""
    requests = [speak("Hello world. Another test!", VOICE, temperature=0, max_tokens=80), speak(seed=7, max_tokens=30)]
    found = []
    for pipelined in (False, True):
        engine.loop.pipelined = pipelined
        found.append([*(run(engine, one)[0] for one in requests), *run(engine, *requests)])
    assert found[0] == found[1]
    assert found[0][:2] == found[0][2:]


def test_a_first_request_that_cannot_be_leaves_nothing(engine: HiggsSpeech, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*given: Any) -> Any:
        raise ValueError("it wants a recording")

    monkeypatch.setattr(engine.checkpoint.model, "_build_prompt_embeddings", build)
    assert list(first_request(engine))
    assert engine.held == 0 and not engine._open
