"""CosyVoice-300M, -SFT and -Instruct, small: who speaks, what is read, what is refused; batches and cancels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.engine_runs import pcm, run, silences, work
from support.small_checkpoints import numbers
from support.tiny_cosyvoice_first import NAMED, write_first

from speechmlx.engines import LoadOptions, cosyvoice
from speechmlx.engines.cosyvoice.engine import CosyVoice
from speechmlx.engines.cosyvoice.generation import FIRST, FIRST_SFT, FIRST_SPEECH_TOKENS
from speechmlx.engines.cosyvoice.text_tokens import WhisperTokens
from speechmlx.engines.parts.resampled_flow import frames_of
from speechmlx.errors import BadRequest, SpeechError, UnknownVoice, Unsupported
from speechmlx.types import Audio, Chunk, Event, FeedText, NamedVoice, ReferenceVoice, Speak, SpeakStream, Usage

RATE = 22_050
RECORDING = Audio(numbers(1, RATE) * np.float32(0.1), RATE)
SAID, UNSAID = ReferenceVoice(RECORDING, "said", "one"), ReferenceVoice(RECORDING, "", "two")
BEGIN, TASK = FIRST_SPEECH_TOKENS, FIRST_SPEECH_TOKENS + 1


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], options: LoadOptions) -> CosyVoice:
    return loaded(cosyvoice.load(write_first(tmp_path_factory.mktemp("first")), options))


@pytest.fixture(scope="module")
def sft(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], options: LoadOptions) -> CosyVoice:
    return loaded(cosyvoice.load(write_first(tmp_path_factory.mktemp("sft"), "cosyvoice1-sft"), options))


@pytest.fixture(scope="module")
def instruct(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], cold: LoadOptions) -> CosyVoice:
    return loaded(cosyvoice.load(write_first(tmp_path_factory.mktemp("instruct"), "cosyvoice1-instruct"), cold))


def speak(engine: CosyVoice, text: str = "Hi you", **fields: Any) -> list[Event]:
    return run(engine, Speak(text=text, **fields))[0]


def test_a_speaker(sft: CosyVoice) -> None:
    events = speak(sft)
    usage = events[-1]
    assert isinstance(usage, Usage) and usage.tokens_in == 3  # with the mark at the end
    assert 2 * usage.tokens_in <= usage.tokens_out <= 20 * usage.tokens_in
    assert usage.audio_out == frames_of(usage.tokens_out) * 256 / RATE == len(pcm(events)) / 2 / RATE
    assert all(chunk.rate == RATE for chunk in events if isinstance(chunk, Chunk))
    assert pcm(speak(sft, voice=NamedVoice(NAMED[0]))) == pcm(events)
    assert pcm(speak(sft, voice=NamedVoice(NAMED[4]))) != pcm(events)
    assert pcm(speak(sft, options={"seed": 1})) != pcm(events)
    assert pcm(speak(sft, instructions="Calmly")) == pcm(events)  # a field that clients send to any model


def test_a_recording(engine: CosyVoice) -> None:
    said, unsaid = (pcm(speak(engine, voice=voice)) for voice in (SAID, UNSAID))
    assert pcm(speak(engine, options={"prompt_speech": RECORDING, "prompt_text": "said"})) == said != unsaid


def test_each_sentence_sounds_by_itself(sft: CosyVoice) -> None:
    """One that is long enough, as short ones are said together."""
    sentence = "There is nothing here that is said before, " * 5 + "but this."
    state = sft.begin(Speak(text=f"{sentence} {sentence}", speed=2.0))
    while not any(isinstance(event, Chunk) for event in sft.step([state])[0]):
        assert state.begun <= 1 and not state.finished
    sft.end(state)


@pytest.mark.parametrize(
    ("text", "pauses", "tokens"),
    [
        ("Hi [pause:1s] you", [1.0], 3),
        ("<|en|>Hi [pause:0.3s]", [0.3], 2),
        ('<speak>Hi <break time="700ms"/> you</speak>', [0.7], 3),
    ],
)
def test_pauses(sft: CosyVoice, text: str, pauses: list[float], tokens: int) -> None:
    """They are silences of their length between the words, which are said by themselves."""
    events = speak(sft, text)
    usage = events[-1]
    assert silences(events) == pauses and isinstance(usage, Usage)
    assert usage.audio_out == len(pcm(events)) / 2 / RATE > sum(pauses) + 0.05
    assert usage.tokens_in == tokens  # a word or a mark each


def test_a_sentence_that_is_being_written_waits_for_its_end(sft: CosyVoice) -> None:
    state = sft.begin(SpeakStream())
    sft.feed(state, FeedText("Here are words, which come one by one, and more of them "))
    assert not state.busy and state.flow_room == 0
    sft.feed(state, FeedText("to the end. And"))
    assert state.busy
    sft.step([state])
    assert state.utterance is not None
    sft.end(state)


def test_what_the_language_model_reads(engine: CosyVoice, sft: CosyVoice, instruct: CosyVoice) -> None:
    def read(engine: CosyVoice, **fields: Any) -> tuple[bool, str, int]:
        """Whether it reads the speaker, its text, and how many speech tokens of a recording."""
        state = engine.begin(Speak(text="text", **fields))
        while state.voice is None:
            engine.step([state])
        prompt = state.manner.prompt("text", state.voice)
        assert isinstance(engine._tokens, WhisperTokens)
        text = engine._tokens._encoding.decode([*prompt.before, *prompt.text])
        tokens = prompt.tokens(engine.generation)
        after = len(prompt.speech)
        assert tokens[0] == BEGIN and tokens[-1 - after] == TASK and tokens[len(tokens) - after :] == [*prompt.speech]
        engine.end(state)
        return prompt.speaker is not None, text, after

    assert read(sft) == read(instruct) == (True, "text", 0)
    assert read(engine, voice=SAID) == (True, "saidtext", 50)
    assert read(engine, voice=UNSAID) == (True, "text", 0)
    assert read(instruct, options={"instruct_text": "Calm"}) == (False, "Calm<endofprompt>text", 0)
    assert read(instruct, instructions="Calm<endofprompt>") == (False, "Calm<endofprompt>text", 0)


def test_requests_together_sound_as_alone(engine: CosyVoice) -> None:
    asked = [
        Speak(text="Hi you", voice=SAID, options={"seed": 3}),
        Speak(text="A longer text", voice=UNSAID, options={"seed": 4}),
        Speak(text="Third", voice=SAID, speed=1.5),
    ]
    alone = [pcm(run(engine, request)[0]) for request in asked]
    together = [pcm(events) for events in run(engine, *asked)]
    assert alone == together and len(set(alone)) == 3


def test_a_cancelled_request_is_freed_and_changes_no_other(sft: CosyVoice) -> None:
    alone, found = pcm(speak(sft)), list[Event]()
    stays, leaves = sft.begin(Speak(text="Hi you")), sft.begin(Speak(text="Another text, which is left."))
    assert sft.held == 2 * sft._request_bytes > 0
    for _ in range(6):
        found += [event for event in sft.step([stays, leaves])[0] if not isinstance(event, Exception)]
    assert leaves.utterance is not None
    sft.end(leaves)
    found += work(sft, [stays])[0]
    assert pcm(found) == alone and sft.held == 0 and leaves.utterance is None and not sft._decoder._batch.members


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"voice": NamedVoice("echo")}, UnknownVoice, r"no voice 'echo'; the voices are 中文女, .*韩语女$"),
        ({"voice": SAID}, BadRequest, "CosyVoice-300M-SFT imitates no recording: leave prompt_speech and prompt_text"),
        ({"options": {"prompt_text": "x"}}, BadRequest, "give a speaker's name as voice, or use CosyVoice-300M"),
        (
            {"options": {"instruct_text": "Calm"}},
            BadRequest,
            "300M-SFT follows no instruction: leave instruct_text out",
        ),
        ({"language": "fr"}, Unsupported, "zh"),
        ({"options": {"speaker": 1}}, Unsupported, "no option speaker; its options are seed, prompt_speech"),
    ],
)
def test_what_speakers_refuse(sft: CosyVoice, fields: dict[str, Any], error: type[SpeechError], says: str) -> None:
    with pytest.raises(error, match=says):
        sft.begin(Speak(text="text", **fields))
    assert sft.held == 0


def test_what_the_others_refuse(engine: CosyVoice, instruct: CosyVoice) -> None:
    with pytest.raises(BadRequest, match=r"imitates one: give a recording of a person \(prompt_speech\)"):
        engine.begin(Speak(text="text", voice=NamedVoice(NAMED[0])))
    with pytest.raises(BadRequest, match=r"CosyVoice-300M follows no instruction: .* use CosyVoice-300M-Instruct with"):
        engine.begin(Speak(text="text", voice=SAID, options={"instruct_text": "Calm"}))
    with pytest.raises(BadRequest, match=r"300M-Instruct imitates no recording: .* voice with instruct_text, or use"):
        instruct.begin(Speak(text="text", voice=SAID))


def test_kinds(engine: CosyVoice, sft: CosyVoice) -> None:
    assert (engine.generation, sft.generation) == (FIRST, FIRST_SFT)
    assert sft.nbytes < engine.nbytes and sft._request_bytes < engine._request_bytes
