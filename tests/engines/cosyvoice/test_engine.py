"""The CosyVoice engine on a small model: requests in a batch, texts in a stream, and what is refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.claimed_memory import SmallRoom
from support.engine_runs import pcm, run, silences, stream, told, work, work_until_idle
from support.small_checkpoints import numbers
from support.tiny_cosyvoice import NAMED, write_folder

from speechmlx.audio.pcm import from_pcm16
from speechmlx.engines import Batched, BatchedStreaming, Claiming, LoadOptions, Paced, cosyvoice
from speechmlx.engines.cosyvoice.engine import CosyVoice
from speechmlx.engines.cosyvoice.text_tokens import QwenTokens
from speechmlx.engines.cosyvoice.utterance_sound import faded
from speechmlx.engines.step_size import StepSize
from speechmlx.errors import BadRequest, Busy, ModelUnavailable, SpeechError, UnknownVoice, Unsupported
from speechmlx.types import (
    Audio,
    Chunk,
    End,
    Event,
    Feed,
    FeedText,
    NamedVoice,
    ReferenceVoice,
    Speak,
    SpeakStream,
    Transcribe,
    Usage,
)

RATE = 24_000
RECORDING = Audio(numbers(1, RATE) * np.float32(0.1), RATE)
TEXT = "Hi. You"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("cosyvoice"))


@pytest.fixture(scope="module")
def engine(folder: Path, loaded: Callable[..., Any], cold: LoadOptions) -> CosyVoice:
    """Its prompts are read in pieces of one size: sums of another number of rows differ by rounding."""
    engine: CosyVoice = loaded(cosyvoice.load(folder, cold))
    engine._piece = StepSize(64, 64, 64)
    return engine


@pytest.fixture(scope="module")
def plain(engine: CosyVoice) -> list[Event]:
    """What TEXT sounds like, with nothing else given."""
    return speak(engine)


def speak(engine: CosyVoice, text: str = TEXT, **fields: Any) -> list[Event]:
    return run(engine, Speak(text=text, **fields))[0]


def test_it_is_what_the_worker_knows(engine: CosyVoice) -> None:
    assert isinstance(engine, Batched) and isinstance(engine, BatchedStreaming) and isinstance(engine, Claiming)
    assert isinstance(engine, Paced)


def test_a_text_in_the_voice_of_a_speaker(engine: CosyVoice, plain: list[Event]) -> None:
    events = plain
    usage = events[-1]
    assert isinstance(usage, Usage)
    assert usage.audio_out == len(pcm(events)) / 2 / RATE > 0
    assert usage.tokens_in == len("Hi. You.")  # a byte is a token here; both sentences are one piece
    assert 2 * usage.tokens_in <= usage.tokens_out <= 20 * usage.tokens_in
    assert usage.audio_out == usage.tokens_out / 25
    assert all(chunk.rate == RATE for chunk in events if isinstance(chunk, Chunk))
    assert pcm(speak(engine, voice=NamedVoice(NAMED[0]))) == pcm(events)
    assert pcm(speak(engine, voice=NamedVoice(NAMED[1]))) != pcm(events)


def test_the_first_sound_comes_before_the_speech_is_whole(engine: CosyVoice) -> None:
    state = engine.begin(Speak(text="A longer text, of which the beginning is heard first."))
    events: list[Event | Exception] = []
    while not any(isinstance(event, Chunk) for event in events):
        events += engine.step([state])[0]
    assert state.utterance is not None and not state.utterance.is_whole
    engine.end(state)


def test_requests_together_sound_as_alone(engine: CosyVoice) -> None:
    asked = [
        Speak(text=TEXT, options={"seed": 3}),
        Speak(text="Longer, then.", voice=ReferenceVoice(RECORDING, "abc", "one"), options={"seed": 4}),
        Speak(text="Third", voice=NamedVoice(NAMED[1]), speed=1.5),
    ]
    alone = [run(engine, request)[0] for request in asked]
    together = run(engine, *asked)
    for one, other in zip(alone, together, strict=True):
        assert pcm(one) == pcm(other)


def smallest_steps(engine: CosyVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of a prompt, or a layer of a network, in a step."""
    monkeypatch.setattr(engine, "_piece", StepSize(1, 1, 1))
    monkeypatch.setattr(engine.pace, "_sizes", defaultdict(lambda: StepSize(1, 1, 1)))


def count_steps(engine: CosyVoice, request: Speak) -> tuple[bytes, int]:
    """The sound, and in how many steps it is made."""
    state, events, steps = engine.begin(request), list[Event | Exception](), 0
    while not state.finished:
        events += engine.step([state])[0]
        steps += 1
    engine.end(state)
    return pcm(events), steps


def test_the_size_of_steps_changes_no_sample(engine: CosyVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    voice = ReferenceVoice(Audio(numbers(3, RATE) * np.float32(0.1), RATE), "abc", "sizes")
    request = Speak(text="Longer, then.", voice=voice, options={"seed": 4})
    whole, few = count_steps(engine, request)
    engine._voices._kept.clear()
    smallest_steps(engine, monkeypatch)
    found, many = count_steps(engine, request)
    np.testing.assert_allclose(from_pcm16(found), from_pcm16(whole), rtol=0, atol=0.01)
    assert many > 2 * few


def test_a_step_is_a_token_or_other_work(engine: CosyVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    done = list[str]()

    monkeypatch.setattr(engine._decoder, "step", told(done, "t", engine._decoder.step))
    monkeypatch.setattr(engine, "_work", told(done, "w", engine._work))
    states = [engine.begin(Speak(text=f"A text of some length, number {number}.")) for number in range(2)]
    steps = list[list[str]]()
    while live := [state for state in states if not state.finished]:
        engine.step(live)
        steps.append([*done])
        done.clear()
    for state in states:
        engine.end(state)
    assert max(map(len, steps)) == 1
    order = "".join(step[0] for step in steps if step)
    assert "twtwtw" in order, "sound is made while speech is drawn"


def test_a_seed_decides_what_is_drawn(engine: CosyVoice, plain: list[Event]) -> None:
    again, other = (pcm(speak(engine, options={"seed": seed})) for seed in (0, 1))
    assert pcm(plain) == again != other


def test_speed(engine: CosyVoice, plain: list[Event]) -> None:
    normal, fast = plain[-1], speak(engine, speed=2.0)[-1]
    assert isinstance(normal, Usage) and isinstance(fast, Usage) and normal.tokens_out == fast.tokens_out
    assert fast.audio_out == pytest.approx(normal.audio_out / 2, abs=0.021)


def test_with_an_instruction_a_text_in_pieces_sounds_as_the_whole(engine: CosyVoice) -> None:
    """Its sentences are said whole: an instruction among the speech would be read aloud."""
    sentences = ("First. ", "A second. ", "End")
    state = engine.begin(SpeakStream(instructions="Calm"))
    assert not state.busy and not state.finished
    events: list[Event] = []

    for sentence in sentences:
        for letter in sentence:
            engine.feed(state, FeedText(letter))
            events += work_until_idle(engine, state)[0]
    assert pcm(events) and not state.finished
    heard = len(pcm(events))
    engine.feed(state, End())
    events += work_until_idle(engine, state)[0]
    assert state.finished and len(pcm(events)) > heard and isinstance(events[-1], Usage)
    engine.end(state)
    by_sentence = [
        pcm(speak(engine, s.strip(), instructions="Calm", options={"seed": n})) for n, s in enumerate(sentences)
    ]
    assert pcm(events) == b"".join(by_sentence)


def test_a_text_without_words_is_a_short_silence(engine: CosyVoice) -> None:
    events = speak(engine, "…")
    assert pcm(events) == bytes(len(pcm(events))) and isinstance(events[-1], Usage) and events[-1].tokens_out == 0
    assert isinstance(stream(engine, [])[-1], Usage)


def test_a_cancelled_request_is_freed_and_changes_no_other(engine: CosyVoice, plain: list[Event]) -> None:
    alone = pcm(plain)
    held = engine.held
    stays, leaves = engine.begin(Speak(text=TEXT)), engine.begin(Speak(text="Another text, which is left."))
    found: list[Event] = []
    for step in range(60):
        found += [event for event in engine.step([stays, leaves])[0] if not isinstance(event, Exception)]
        assert step < 59 or leaves.utterance is not None
    assert engine.held > held
    engine.end(leaves)
    found += work(engine, [stays])[0]
    assert pcm(found) == alone and engine.held == held == 0
    assert leaves.utterance is None and not engine._decoder._batch.members


def test_speech_that_does_not_end_is_cut_off(
    engine: CosyVoice, plain: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a text that is whole, and of one that is said while it is being written."""
    assert isinstance(plain[-1], Usage) and not plain[-1].cut_off
    for module in ("engine", "streamed_utterance"):
        monkeypatch.setattr(f"speechmlx.engines.cosyvoice.{module}.LONGEST", 2)  # no token more than the least
    for events in (speak(engine), stream(engine, ["Here are ", "words, ", "which ", "come."])):
        usage = events[-1]
        assert isinstance(usage, Usage) and usage.tokens_out >= 2 * usage.tokens_in and usage.cut_off


def test_what_never_fits_is_refused_for_good(engine: CosyVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where others hold what it needs, a later request may be taken."""
    for most, error, says in ((engine._request_bytes - 1, BadRequest, "--memory-limit"), (10**12, Busy, "full")):
        monkeypatch.setattr(engine, "room", SmallRoom(most, 0))
        with pytest.raises(error, match=says):
            engine.begin(Speak(text=TEXT))
        assert engine.held == 0


def test_a_recording_is_prepared_once(engine: CosyVoice) -> None:
    voice = ReferenceVoice(Audio(numbers(2, RATE) * np.float32(0.1), RATE), "", "two")
    first, second = engine.begin(Speak(text="A", voice=voice)), engine.begin(Speak(text="A", voice=voice))
    work(engine, [first])
    engine.step([second])
    assert second.voice is not None and second.voice is first.voice
    engine.end(second)
    assert second.hearing is None


def test_what_the_language_model_reads(engine: CosyVoice) -> None:
    voice = ReferenceVoice(RECORDING, "said", "three")

    def read(request: Speak) -> tuple[str, int]:
        state = engine.begin(request)
        while state.utterance is None:
            engine.step([state])
        tokens = state.utterance.tokens[: state.utterance.prompt]
        task = tokens.index(6565)
        assert isinstance(engine._tokens, QwenTokens)
        letters = [engine._tokens._tokenizer.decode([t - 6566], skip_special_tokens=False) for t in tokens[1:task]]
        engine.end(state)
        return "".join(letters), len(tokens) - task - 1

    assert read(Speak(text="text")) == ("text.", 0)
    assert read(Speak(text="text", voice=voice)) == ("saidtext.", 25)
    assert read(Speak(text="text", voice=ReferenceVoice(RECORDING, "", "x"))) == ("text.", 0)
    assert read(Speak(text="text", voice=voice, instructions="Calm")) == ("Calm<|endofprompt|>text.", 0)
    assert read(Speak(text="text", instructions="Calm<|endofprompt|>")) == ("Calm<|endofprompt|>text.", 0)
    options = {"prompt_speech": RECORDING, "prompt_text": "said"}
    assert read(Speak(text="text", options=options)) == ("saidtext.", 25)
    assert read(Speak(text="text", options={"instruct_text": "Calm"})) == ("Calm<|endofprompt|>text.", 0)
    assert read(Speak(text="a <strong>b</strong>")) == ("a <strong>b</strong>", 0)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"text": " \n"}, BadRequest, "there is no word in the text"),
        ({"speed": 3.0}, BadRequest, "speed 3 is out of range: 0.5 to 2"),
        ({"options": {"speaker_id": 1}}, Unsupported, "no option speaker_id; its options are seed, prompt_speech"),
        ({"options": {"seed": -1}}, BadRequest, "seed must be a whole number from 0 to 4294967295, not -1"),
        ({"options": {"prompt_text": "x"}}, BadRequest, r"give the recording too \(prompt_speech\)"),
        ({"options": {"prompt_speech": b"RIFF"}}, BadRequest, "prompt_speech must be a recording"),
        ({"options": {"instruct_text": 7}}, BadRequest, "instruct_text must be a text, not 7"),
        ({"voice": NamedVoice("echo")}, UnknownVoice, "no voice 'echo'; the voices are first, second; or give a rec"),
        ({"language": "fr"}, Unsupported, "zh"),
        ({"instructions": "x" * 500}, BadRequest, "instructions is 500 tokens long; at most 400 are read"),
        (
            {"voice": ReferenceVoice(Audio(RECORDING.samples[:9000], RATE), "", "s")},
            BadRequest,
            r"the voice's recording has 0.4 s; 0.5 to 30 s of one person's speech are needed",
        ),
        (
            {"voice": ReferenceVoice(Audio(np.zeros(RATE, np.float32), RATE), "", "z")},
            BadRequest,
            "the voice's recording is silent",
        ),
    ],
)
def test_what_is_refused(engine: CosyVoice, fields: dict[str, Any], error: type[SpeechError], message: str) -> None:
    with pytest.raises(error, match=message):
        engine.begin(Speak(**{"text": "text", **fields}))
    assert engine.held == 0


def test_requests_of_other_kinds_are_refused(engine: CosyVoice) -> None:
    with pytest.raises(Unsupported, match="CosyVoice 2 speaks; it cannot transcribe"):
        engine.begin(Transcribe(audio=RECORDING))
    state = engine.begin(SpeakStream())
    with pytest.raises(Unsupported, match="CosyVoice 2 does not take Feed commands"):
        engine.feed(state, Feed(RECORDING.samples))
    engine.end(state)


def test_an_error_ends_its_request_alone(engine: CosyVoice, plain: list[Event]) -> None:
    good, bad = engine.begin(Speak(text=TEXT)), engine.begin(Speak(text="<speak>no end"))
    events = engine.step([good, bad])
    assert isinstance(events[1][-1], BadRequest) and bad.finished
    engine.end(bad)
    assert pcm(work(engine, [good])[0]) == pcm(plain)


def test_a_model_without_speakers_says_what_it_needs(
    tmp_path: Path, loaded: Callable[..., Any], options: LoadOptions
) -> None:
    engine = loaded(cosyvoice.load(write_folder(tmp_path, named=()), options))  # warmed up
    assert not len(engine._voices._kept), "the hum is forgotten"
    with pytest.raises(BadRequest, match=r"it imitates one: give a recording of a person \(prompt_speech\)"):
        engine.begin(Speak(text="text"))


def test_a_folder_of_another_model_is_refused(folder: Path, tmp_path: Path, cold: LoadOptions) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "qwen2"}')
    with pytest.raises(ModelUnavailable, match=r"holds 'qwen2'; this engine runs cosyvoice1, "):
        list(cosyvoice.load(tmp_path, cold))
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(ModelUnavailable, match="no readable tokenizer"):
        list(cosyvoice.load(tmp_path, cold))


@pytest.mark.parametrize(
    ("text", "pauses", "said"),
    [
        ("Hi [pause:1s] you", [1.0], ("Hi", "you.")),
        ("[pause:250ms][pause:.5s]Hi", [0.25, 0.5], ("Hi.",)),
        ("a <strong>b</strong> [pause:0.3s]", [0.3], ("a ", "<", "b", ">")),
        ('<speak>Hi <break time="700ms"/> you</speak>', [0.7], ("Hi", "you.")),
    ],
)
def test_pauses(engine: CosyVoice, text: str, pauses: list[float], said: tuple[str, ...]) -> None:
    """They are silences of their length between the words, which are said by themselves."""
    events = speak(engine, text)
    assert silences(events) == pauses
    usage = events[-1]
    assert isinstance(usage, Usage) and usage.audio_out == len(pcm(events)) / 2 / RATE
    assert usage.audio_out == pytest.approx(sum(pauses) + usage.tokens_out / 25)
    assert usage.tokens_in == len("".join(said))  # a byte or a mark is a token


def test_a_pause_that_is_too_long_is_refused_before_any_sound(engine: CosyVoice) -> None:
    with pytest.raises(BadRequest, match=r"a pause has 10 s at most, like \[pause:1.5s\]"):
        engine.begin(Speak(text="Hi [pause:11s] you"))
    assert engine.held == 0


def test_ssml_changes_the_rate(engine: CosyVoice) -> None:
    fast, normal = speak(engine, '<speak><prosody rate="200%">Hi</prosody></speak>'), speak(engine, "Hi")
    assert len(pcm(fast)) == pytest.approx(len(pcm(normal)) / 2, abs=2 * 480)


def test_the_end_of_a_piece_fades_out(plain: list[Event]) -> None:
    samples = np.frombuffer(pcm(plain), "<i2").astype(np.float32)
    end, before = np.abs(samples[-240:]), np.abs(samples[-4800:-960])
    assert samples[-1] == 0 and end.mean() < before.mean() / 3
    np.testing.assert_allclose(faded(np.ones(4, np.float32), 3), [1, 1, 0.5, 0])
    np.testing.assert_allclose(faded(np.ones(2, np.float32), 3), [1, 0])


def test_what_the_flow_keeps_is_bounded_by_the_memory_there_is(
    engine: CosyVoice, plain: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pcm(plain)
    monkeypatch.setattr(engine, "room", SmallRoom(2_000_000, 2_000_000))
    state = engine.begin(Speak(text=TEXT))
    assert 0 < state.flow_room < 1_000_000 and engine.held == engine._request_bytes + state.flow_room
    found = np.frombuffer(pcm(work(engine, [state])[0]), "<i2").astype(int)
    np.testing.assert_allclose(found, np.frombuffer(whole, "<i2").astype(int), atol=400)
    assert engine.held == 0
