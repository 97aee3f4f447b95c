"""One request: its clips, prompts, attempts and the order of its events. No network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechmlx.engines.whisper.decoding.greedy import TokenSequence
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.offline.transcription import TranscriptionState
from speechmlx.engines.whisper.offline.window import Window
from speechmlx.errors import BadAudio, BadRequest, Unsupported
from speechmlx.types import Audio, LanguageDetected, Segment, Transcribe, Usage

RATE = 16_000
ENGLISH, ALL = Vocabulary(51864), Vocabulary(51865)
TIME = ENGLISH.timestamps


def talk(seconds: float) -> np.ndarray:
    """Noise whose loudness changes as that of speech does."""
    draw = np.random.default_rng(1)
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.1 * draw.standard_normal(len(time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)) ** 3).astype(np.float32)


def state(samples: np.ndarray, vocabulary: Vocabulary = ENGLISH, **options: Any) -> TranscriptionState:
    found = TranscriptionState(Transcribe(audio=Audio(samples, RATE), **options), vocabulary, 80)
    while not found.prepared:
        found.prepare()
    return found


def decide(window: Window, text: str, logprob: float = -0.1, no_speech: float = 0.0) -> None:
    """Decode a window as `text`, whole, and conclude it."""
    request = window.state
    prompt, prefix = request.prompt(window.queue)
    tokens = [TIME, *ENGLISH.encode(text), TIME + (window.end - window.start) // 2]
    sequence = TokenSequence(prompt, request.rules(0), None, 224, prefix, tokens, [logprob] * len(tokens), no_speech)
    window.sequence = sequence
    assert request.judge(window) is None
    request.conclude(window)


SILENCE = np.zeros(2 * RATE, np.float32)
TWO = np.concatenate([talk(20), SILENCE, talk(20)])


def test_events_come_in_order_of_time_whatever_is_decided_first() -> None:
    request = state(TWO)
    first, second = request.windows
    assert (first.start, second.start) == (0, pytest.approx(2200, abs=50))
    decide(second, " Later.")
    assert [type(event) for event in request.take_events()] == [LanguageDetected]
    decide(first, " Sooner.")
    events = request.take_events()
    assert [event.text for event in events if isinstance(event, Segment)] == [" Sooner.", " Later."]
    assert isinstance(events[-1], Usage) and events[-1].audio_in == 42.0
    assert request.finished and not list(request.windows) and request.take_events() == []


def test_without_vad_windows_follow_each_other_with_their_context() -> None:
    request = state(TWO, vad=False, condition_on_previous_text=True)
    (window,) = request.windows
    assert (window.start, window.end, window.encoded_frames) == (0, 3000, 3000)
    decide(window, " Before.")
    (window,) = request.windows
    assert (window.start, window.end) == (3000, 4200)
    prompt, _ = request.prompt(window.queue)
    assert prompt[0] == ENGLISH.sot_prev and ENGLISH.decode(prompt) == " Before."


def test_a_recording_without_speech_is_decoded_whole_and_doubted() -> None:
    hum = (0.05 * np.sin(2 * np.pi * 300 * np.arange(10 * RATE) / RATE)).astype(np.float32)
    request = state(hum)
    (window,) = request.windows
    assert (window.start, window.end, window.doubted) == (0, 1000, True)
    decide(window, " Thank you.", logprob=-0.7)  # not likely enough to be believed
    assert request.finished and not [event for event in request.take_events() if isinstance(event, Segment)]


def test_digital_silence_is_not_decoded() -> None:
    request = state(SILENCE)
    assert request.finished and not list(request.windows)


@pytest.mark.parametrize(
    ("logprob", "no_speech", "kept"), [(-0.3, 0.0, True), (-0.3, 0.9, True), (-0.9, 0.7, False), (-1.1, 0.5, False)]
)
def test_text_counts_unless_silence_is_likelier(logprob: float, no_speech: float, kept: bool) -> None:
    request = state(talk(5), temperatures=(0.0,))
    (window,) = request.windows
    decide(window, " Words.", logprob, no_speech)
    assert bool([event for event in request.take_events() if isinstance(event, Segment)]) is kept


def test_prompt() -> None:
    request = state(talk(5), hotwords=("camp",), prompt="We saw", prefix="White tents")
    (window,) = request.windows
    prompt, prefix = request.prompt(window.queue)
    start = prompt.index(ENGLISH.sot)
    assert ENGLISH.decode(prompt[:start]) == " camp We saw" and prompt[0] == ENGLISH.sot_prev
    assert prompt[-prefix] == TIME and ENGLISH.decode(prompt[-prefix:]) == " White tents"
    window.queue.begun = True
    assert request.prompt(window.queue)[1] == 0


def test_names_are_listed_after_the_hotwords_as_far_as_there_is_room() -> None:
    names = ("Siobhan", *(f"antidisestablishmentarianism{number}" for number in range(50)))
    request = state(talk(5), hotwords=("camp",), names=names)
    (window,) = request.windows
    prompt = request.prompt(window.queue)[0]
    before = prompt[1 : prompt.index(ENGLISH.sot)]
    assert ENGLISH.decode(before).startswith(" camp Siobhan, antidisestablishmentarianism0, antidis")
    assert 100 < len(before) <= 112


def test_attempts_end_with_the_temperatures() -> None:
    request = state(talk(5), temperatures=(0.0, 0.5))
    (window,) = request.windows
    window.sequence = TokenSequence([], request.rules(0), None, 224, 0, [5, 6], [-3.0, -3.0])
    assert request.judge(window) == 1
    assert request.rules(1).temperature == 0.5 and request.rules(1).seed != request.rules(0).seed
    assert request.judge(window) is None and len(window.attempts) == 2


def test_few_tokens_and_repetition_are_doubted() -> None:
    request = state(talk(10))
    (window,) = request.windows
    for text, doubted in ((" Two words.", True), (" word" * 20, True), ("", False)):
        window.sequence = TokenSequence([], request.rules(0), None, 224, 0, ENGLISH.encode(text))
        assert request.doubts(window) is doubted
    spoken = " He tried and failed, no matter, and then he set out to try it all again the day after, much better too."
    window.sequence = TokenSequence([], request.rules(0), None, 224, 0, ENGLISH.encode(spoken + spoken[:40]))
    assert not request.doubts(window)


@pytest.mark.parametrize(
    ("error", "match", "options"),
    [
        (BadRequest, "temperatures", {"temperatures": ()}),
        (BadRequest, "temperatures", {"temperatures": (3.0,)}),
        (BadRequest, "suppress_tokens", {"suppress_tokens": (-2,)}),
        (BadRequest, "clips", {"clips": ((2.0, 1.0),)}),
        (BadRequest, "prefix of", {"prefix": "word " * 200}),
        (BadRequest, "hotwords of", {"hotwords": ("word " * 200,)}),
        (BadRequest, "beam_size", {"beam_size": 11}),
        (Unsupported, "translate", {"task": "translate"}),
        (Unsupported, "it knows en", {"language": "de"}),
    ],
)
def test_what_the_model_cannot_do_is_refused(error: type[Exception], match: str, options: dict[str, Any]) -> None:
    with pytest.raises(error, match=match):
        TranscriptionState(Transcribe(audio=Audio(SILENCE, RATE), **options), ENGLISH, 80)


@pytest.mark.parametrize("audio", [Audio(SILENCE, 8000), Audio(np.full(10, np.nan, np.float32), RATE)])
def test_bad_audio_is_refused(audio: Audio) -> None:
    with pytest.raises(BadAudio):
        TranscriptionState(Transcribe(audio=audio), ALL, 80)
