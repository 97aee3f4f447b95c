"""The ChatTTS engine on a small model: requests in a batch, texts in a stream, what options do, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import numpy as np
import pytest
from support.claimed_memory import SmallRoom
from support.engine_runs import run, sound, stream, work, work_until_idle
from support.tiny_chattts import endless, made, shapes, write_folder

from speechmlx.engines import Batched, BatchedStreaming, Claiming, LoadOptions, chattts
from speechmlx.engines.chattts.drawing import DrawingRule
from speechmlx.engines.chattts.engine import ChatTts
from speechmlx.engines.chattts.manner import FRAMES_EACH, FRAMES_LEAST
from speechmlx.engines.chattts.sequences import ChatSequence
from speechmlx.engines.chattts.sound import FIRST
from speechmlx.engines.chattts.speech_request import ChatSpeech
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.step_size import StepSize
from speechmlx.errors import BadRequest, Busy, ModelUnavailable, SpeechError, UnknownVoice, Unsupported, WeightsDamaged
from speechmlx.types import (
    Audio,
    Chunk,
    End,
    Event,
    Feed,
    FeedText,
    FlushText,
    NamedVoice,
    ReferenceVoice,
    Speak,
    SpeakStream,
    Transcribe,
    Usage,
)

RATE = 24_000
TEXT = "Hello you."
PLAIN = {"skip_refine_text": True}
SENTENCES = "The first one is said here, and it is long enough. The second one is said after it, as long as that."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("chattts"))


@pytest.fixture(scope="module")
def engine(folder: Path, loaded: Callable[..., Any], cold: LoadOptions) -> ChatTts:
    return of_one_size(loaded(chattts.load(folder, cold)))


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], cold: LoadOptions) -> ChatTts:
    """A model that speaks until it is cut off."""
    return of_one_size(loaded(chattts.load(write_folder(tmp_path_factory.mktemp("talkative"), endless()), cold)))


def of_one_size(engine: ChatTts) -> ChatTts:
    """Its prompts are read in pieces of one size: sums of another number of rows differ by rounding."""
    engine._piece = StepSize(64, 64, 64)
    return engine


def same(one: np.ndarray, other: np.ndarray) -> None:
    """Equal on a CPU; on a GPU sums of another number of rows may differ by rounding."""
    is_exact = mx.default_device() == mx.Device(mx.cpu)
    np.testing.assert_allclose(one, other, rtol=0, atol=0 if is_exact else 3 / 32768)


@contextmanager
def short_limits() -> Iterator[None]:
    """Speech is cut off after 30 frames and one for each letter."""
    with patch.multiple("speechmlx.engines.chattts.manner", FRAMES_EACH=1, FRAMES_LEAST=30):
        yield


def speak(engine: ChatTts, text: str = TEXT, **fields: Any) -> list[Event]:
    return run(engine, Speak(text=text, **fields))[0]


def drawn(engine: ChatTts, request: Speak) -> tuple[ChatSpeech, list[ChatSequence]]:
    """A request that has begun, and the sequences of its pieces once each has drawn something."""
    state = engine.begin(request)
    while not state.pieces or not all(piece.sequence.drawn for piece in state.pieces):
        engine.step([state])
    return state, [piece.sequence for piece in state.pieces]


def test_it_is_what_the_worker_knows(engine: ChatTts) -> None:
    assert isinstance(engine, Batched) and isinstance(engine, BatchedStreaming) and isinstance(engine, Claiming)


def test_a_text_is_spoken(engine: ChatTts) -> None:
    events = speak(engine, options=PLAIN)
    usage = events[-1]
    assert isinstance(usage, Usage)
    assert usage.audio_out == len(sound(events)) / RATE > 0
    assert usage.tokens_in == len("helloyou.")  # a letter is a token here
    frames = usage.tokens_out
    assert not usage.cut_off
    assert 1 <= frames <= FRAMES_EACH * usage.tokens_in + FRAMES_LEAST
    assert usage.audio_out == pytest.approx((2 * frames - 1) * 256 / RATE)
    assert all(chunk.rate == RATE for chunk in events if isinstance(chunk, Chunk))
    assert np.array_equal(sound(speak(engine, options=PLAIN)), sound(events)), "the same each time"


def test_what_the_language_model_reads(engine: ChatTts) -> None:
    """The reference's prompts: of the text that is refined, and of what is said."""
    names = engine._tokens._tokenizer.id_to_token

    def prompts(**fields: Any) -> list[str]:
        state, sequences = drawn(engine, Speak(text="You. [pause:1s] I", **fields))
        engine.end(state)
        return ["".join(map(str, map(names, one.prompt))).replace("##", "") for one in sequences]

    assert prompts() == ["[Sbreak]you.[Pbreak]", "[Sbreak]i.[Pbreak]"]
    styled = prompts(options={"prompt": "[oral_2][laugh_0][break_6]"})
    assert styled[0] == "[Sbreak]you.[Pbreak][oral_2][laugh_0][break_6]"
    assert prompts(options=PLAIN) == ["[Stts][spk_emb][speed_5]you.[Ptts]", "[Stts][spk_emb][speed_5]i.[Ptts]"]
    for speed, step in ((0.25, 1), (0.5, 2), (1.5, 7), (2.0, 9)):
        assert f"[speed_{step}]" in prompts(options=PLAIN, speed=speed)[0]


def test_a_text_is_refined_unless_it_has_marks(engine: ChatTts) -> None:
    plain, marked = Speak(text="You laugh"), Speak(text="You [laugh] I")
    for request, is_speech in ((plain, False), (marked, True)):
        state, (sequence,) = drawn(engine, request)
        assert sequence.is_speech is is_speech
        engine.end(state)
    usage = [speak(engine, options=options)[-1] for options in ({}, PLAIN)]
    assert isinstance(usage[0], Usage) and isinstance(usage[1], Usage)
    assert not np.array_equal(sound(speak(engine)), sound(speak(engine, options=PLAIN)))


def test_a_refined_text_is_words_and_what_is_heard(engine: ChatTts) -> None:
    manner = engine.begin(Speak(text=TEXT))
    tokens = engine._tokens
    sequence = manner.manner.refining("you", 0)
    assert sequence is not None
    written = tokens.encode("i[uv_break]you[laugh][oral_3][Ptts][spk_emb]")
    sequence.tokens[1:] = [(token,) for token in (*written, tokens.number("[UNK]"))]
    assert manner.manner.refined(sequence, "you") == tokens.encode("i[uv_break]you[laugh]")
    sequence.tokens[1:] = [(tokens.number("[Ptts]"),)]
    assert manner.manner.refined(sequence, "you") == tokens.encode("you")
    engine.end(manner)


def test_each_wish_acts(engine: ChatTts) -> None:
    """A voice, a seed, a speed and a temperature: another sound, and the same one again."""
    asked: list[dict[str, Any]] = [
        {},
        {"voice": NamedVoice("echo")},
        {"voice": NamedVoice("Echo")},
        {"speed": 0.5},
        {"options": {"seed": 7}},
        {"options": {"temperature": 1.5}},
    ]

    def heard(fields: dict[str, Any]) -> bytes:
        return sound(speak(engine, "I", **{**fields, "options": {**PLAIN, **fields.get("options", {})}})).tobytes()

    found = [heard(fields) for fields in asked]
    assert len(set(found)) == len(found)
    assert [heard(fields) for fields in asked[1:3]] == found[1:3]


def test_options_are_how_codes_are_drawn(engine: ChatTts) -> None:
    def rule(**options: float) -> DrawingRule:
        state = engine.begin(Speak(text="I", options=options))
        engine.end(state)
        return state.manner.rule

    assert rule() == DrawingRule(temperature=0.3, top_p=0.7, top_k=20, penalty=1.05)
    options = {"temperature": 0.5, "top_P": 0.2, "top_K": 3, "repetition_penalty": 2}
    assert rule(**options) == DrawingRule(temperature=0.5, top_p=0.2, top_k=3, penalty=2.0)


def test_requests_together_sound_as_alone(talkative: ChatTts) -> None:
    asked = [
        Speak(text=SENTENCES, options={"seed": 3, **PLAIN}),
        Speak(text="I. [pause:0.1s] You laugh", voice=NamedVoice("one"), options={"seed": 4}),
        Speak(text="Third", voice=NamedVoice("two"), speed=1.5, options=PLAIN),
    ]
    with short_limits():
        alone = [run(talkative, request)[0] for request in asked]
        together = run(talkative, *asked)
    for one, other in zip(alone, together, strict=True):
        assert one[-1] == other[-1], "as many tokens, and as long"
        assert len(sound(one)) > RATE // 3
        same(sound(one), sound(other))


def test_pieces_of_a_text_are_drawn_together_and_heard_in_order(engine: ChatTts) -> None:
    state, sequences = drawn(engine, Speak(text=SENTENCES, options=PLAIN))
    assert len(sequences) == 2 and len(engine._loop._batch.members) == 2
    engine.end(state)
    whole = sound(speak(engine, SENTENCES, options=PLAIN))
    parts = [sound(speak(engine, part, options=PLAIN)) for part in SENTENCES.split(" The second")]
    same(whole[: len(parts[0])], parts[0])
    assert len(whole) > len(parts[0])


def test_the_first_sound_comes_before_the_speech_is_whole(talkative: ChatTts) -> None:
    state = talkative.begin(Speak(text="I", options=PLAIN))
    events: list[Event | Exception] = []
    while not events:
        events += talkative.step([state])[0]
    sequence = state.pieces[0].sequence
    assert isinstance(events[0], Chunk) and not sequence.is_over
    assert FIRST + 10 < len(sequence.drawn) < FIRST + 60 and len(sound([events[0]])) == 2 * FIRST * 256
    talkative.end(state)


def test_speech_that_does_not_end_is_cut_off(talkative: ChatTts) -> None:
    with short_limits():
        usage = speak(talkative, "I", options=PLAIN)[-1]
    assert isinstance(usage, Usage) and usage.tokens_out == len("I.") + 30 and usage.cut_off


def test_the_sound_of_a_long_text_keeps_nobody_waiting(talkative: ChatTts) -> None:
    """What is drawn of a long text already does not come before the first sound of another one."""
    with short_limits(), patch.multiple("speechmlx.engines.chattts.sound", FIRST=2, MOST=2):
        long = talkative.begin(Speak(text=SENTENCES * 3, options=PLAIN))
        while not all(piece.sequence.is_over for piece in long.pieces) or not long.pieces:
            talkative.step([long])
        short = talkative.begin(Speak(text="I", options=PLAIN))
        events: list[list[Event | Exception]] = [[], []]
        while not events[1]:
            for found, new in zip(events, talkative.step([long, short]), strict=True):
                found += new
        assert isinstance(events[1][0], Chunk)
        assert len(long.pieces) == 3, "it has sound to make still"
        assert events[0], "and both go on"
    for state in (long, short):
        talkative.end(state)


def test_a_text_in_pieces_is_said_by_sentence(engine: ChatTts) -> None:
    sentences = ("The first one. ", "Here is the second. ", "End")
    state = engine.begin(SpeakStream(options=PLAIN))
    assert not state.busy and not state.finished
    events: list[Event] = []

    for sentence in sentences:
        for letter in sentence:
            engine.feed(state, FeedText(letter))
            events += work_until_idle(engine, state)[0]
    heard = len(sound(events))
    assert heard and not state.finished
    engine.feed(state, End())
    events += work_until_idle(engine, state)[0]
    assert state.finished and len(sound(events)) > heard and isinstance(events[-1], Usage)
    engine.end(state)
    first = sound(speak(engine, sentences[0].strip(), options=PLAIN))
    same(sound(events)[: len(first)], first)


def test_pauses_are_silences(engine: ChatTts) -> None:
    apart = sound(speak(engine, "[pause:0.5s]", options=PLAIN))
    assert len(apart) == RATE // 2 and not apart.any()
    plain, paused = (sound(speak(engine, text, options=PLAIN)) for text in ("You.", "[pause:250ms] You. [pause:1s]"))
    assert len(paused) == len(plain) + 1.25 * RATE
    same(paused[RATE // 4 : -RATE], plain)


def test_a_text_without_words_is_a_short_silence(engine: ChatTts) -> None:
    events = speak(engine, "…")
    assert not sound(events).any() and isinstance(events[-1], Usage) and events[-1].tokens_out == 0
    assert isinstance(stream(engine, [])[-1], Usage)


def test_a_cancelled_request_is_freed_and_changes_no_other(engine: ChatTts) -> None:
    stay = Speak(text="Stay, you.", options=PLAIN)
    alone = sound(run(engine, stay)[0])
    mx.clear_cache()
    before = mx.get_active_memory()
    assert engine.held == 0
    stays, leaves = engine.begin(stay), engine.begin(Speak(text=SENTENCES * 2, options=PLAIN))
    assert engine.held > 0
    found: list[Event] = []
    for _ in range(6):
        for event in engine.step([leaves, stays])[1]:
            assert not isinstance(event, Exception)
            found.append(event)
    assert leaves.pieces and engine._loop._batch.members
    engine.end(leaves)
    assert not leaves.pieces and not leaves.busy
    same(sound([*found, *work(engine, [stays])[0]]), alone)
    assert engine.held == 0 and not engine._loop._batch.members
    del stays, leaves, found
    mx.clear_cache()
    assert mx.get_active_memory() <= before


def test_what_never_fits_is_refused_for_good(engine: ChatTts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others hold what it needs, a later request may be taken."""
    state = engine.begin(Speak(text=TEXT))
    needs = engine.held
    engine.end(state)
    for most, error, says in ((needs - 1, BadRequest, "--memory-limit"), (needs, Busy, "full")):
        monkeypatch.setattr(engine, "room", SmallRoom(most, 0))
        with pytest.raises(error, match=says):
            engine.begin(Speak(text=TEXT))
        assert engine.held == 0


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"text": " \n"}, BadRequest, "there is no word in the text"),
        ({"text": "a[pause:999s]"}, BadRequest, "too long"),
        ({"speed": 3.0}, BadRequest, r"speed 3 is out of range: 0.25 to 2"),
        ({"options": {"speaker_id": 1}}, Unsupported, "no option speaker_id; its options are seed, temperature, top_P"),
        ({"options": {"seed": -1}}, BadRequest, "seed must be a whole number from 0 to 4294967295, not -1"),
        ({"options": {"temperature": 0}}, BadRequest, "temperature must be a number from 0.01 to 2, not 0"),
        ({"options": {"top_K": 2.5}}, BadRequest, "top_K must be a whole number from 1 to 626"),
        ({"options": {"skip_refine_text": "yes"}}, BadRequest, "skip_refine_text must be true or false, not 'yes'"),
        ({"options": {"prompt": "[oral_2] loud"}}, BadRequest, r"in marks like \[oral_2\]\[laugh_0\]\[break_6\]"),
        ({"options": {"prompt": 3}}, BadRequest, "prompt is how a text is refined"),
        ({"language": "fr"}, Unsupported, "it knows zh, en"),
        ({"voice": NamedVoice("x" * 401)}, UnknownVoice, "has 401 characters, so it should be emb_data"),
        (
            {"voice": ReferenceVoice(Audio(np.zeros(RATE, np.float32), RATE), "", "z")},
            UnknownVoice,
            "imitates no recordings: name any voice, or send emb_data",
        ),
    ],
)
def test_what_is_refused(engine: ChatTts, fields: dict[str, Any], error: type[SpeechError], message: str) -> None:
    with pytest.raises(error, match=message):
        engine.begin(Speak(**{"text": "text", **fields}))
    assert engine.held == 0


def test_requests_of_other_kinds_are_refused(engine: ChatTts) -> None:
    with pytest.raises(Unsupported, match="ChatTTS speaks; it cannot transcribe"):
        engine.begin(Transcribe(audio=Audio(np.zeros(RATE, np.float32), RATE)))
    state = engine.begin(SpeakStream())
    for command in (Feed(np.zeros(RATE, np.float32)), FlushText()):
        with pytest.raises(Unsupported, match=f"ChatTTS does not take {type(command).__name__} commands"):
            engine.feed(state, command)
    engine.end(state)


def test_an_error_ends_its_request_alone(engine: ChatTts) -> None:
    good, bad = engine.begin(Speak(text=TEXT, options=PLAIN)), engine.begin(Speak(text="<speak>no end"))
    events = engine.step([good, bad])
    assert isinstance(events[1][-1], BadRequest) and bad.finished
    engine.end(bad)
    assert np.array_equal(sound(work(engine, [good])[0]), sound(speak(engine, options=PLAIN)))


@pytest.mark.parametrize("head", ["head_text", "head_code.2"])
def test_numbers_that_are_none_are_an_error(
    tmp_path: Path, loaded: Callable[..., Any], cold: LoadOptions, head: str
) -> None:
    embed = made(shapes()["Embed"])
    embed["emb_text.weight"] *= np.float32(1e4)
    embed[f"{head}.parametrizations.weight.original0"] *= np.float32(1e4)
    engine = loaded(chattts.load(write_folder(tmp_path, {"Embed": embed}), cold))
    engine._model.model.norm.weight = engine._model.model.norm.weight * 1e38
    with pytest.raises(NotFinite, match=r"the logits of the next (text token|frame of codes) gave"):
        speak(engine, options=PLAIN if head != "head_text" else {})


def test_a_loaded_model_has_spoken(tmp_path: Path, options: LoadOptions) -> None:
    """A few frames, also where the model does not end by itself."""
    steps = list(chattts.load(write_folder(tmp_path, endless()), options))
    assert 8 <= sum(progress.stage == "warm_up" for progress in steps) <= 16


def test_a_folder_of_another_model_is_refused(folder: Path, tmp_path: Path, cold: LoadOptions) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    with pytest.raises(ModelUnavailable, match=r"holds 'qwen2'; this engine runs chat_tts"):
        list(chattts.load(tmp_path, cold))
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(ModelUnavailable, match="no readable tokenizer"):
        list(chattts.load(tmp_path, cold))
    (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    (tmp_path / "lm.safetensors").write_bytes((folder / "lm.safetensors").read_bytes())
    with pytest.raises(WeightsDamaged, match="are not those of ChatTTS"):
        list(chattts.load(tmp_path, cold))
