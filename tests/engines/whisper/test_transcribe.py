"""Whisper on the starter weights: the words are right, and bad requests are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jiwer
import numpy as np
import pytest
from support.clips import CLIPS
from support.engine_runs import run, segments
from support.whisper_runs import RATE, sampled, text, timings
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.engines.whisper.decoding import quality
from speechmlx.engines.whisper.decoding.quality import Cut, Piece
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.engines.whisper.offline import segments as segments_module
from speechmlx.engines.whisper.offline.segments import transcribed_frames
from speechmlx.engines.whisper.offline.transcription import TranscriptionState
from speechmlx.errors import BadAudio, BadRequest, SpeechError, Unsupported
from speechmlx.types import Audio, DetectTurn, Transcribe, Usage


def test_word_error_rate(engine: Whisper, speech: Callable[[str], Audio]) -> None:
    normal = EnglishTextNormalizer()
    found = run(engine, *[Transcribe(audio=speech(name), language="en") for name in CLIPS])
    said = [normal(text(events)) for events in found]
    assert jiwer.wer([normal(clip.words) for clip in CLIPS.values()], said) <= 0.03
    for events in found:
        assert all(0.5 < segment.confidence <= 1.0 for segment in segments(events))


def test_a_long_recording_is_cut_where_nobody_speaks(engine: Whisper, speech: Callable[[str], Audio]) -> None:
    """Windows decode side by side; times are those of the recording, segments in order and inside it."""
    names = ["jfk", "beckett", "librispeech", "jfk", "beckett"]
    pause = np.zeros(3 * RATE, np.float32)
    samples = np.concatenate([part for name in names for part in (speech(name).samples, pause)])
    found = run(engine, Transcribe(audio=Audio(samples, RATE), language="en", words=True))[0]
    normal = EnglishTextNormalizer()
    assert jiwer.wer(normal(" ".join(CLIPS[name].words for name in names)), normal(text(found))) <= 0.03
    times = [time for segment in segments(found) for time in (segment.start, segment.end)]
    assert times == sorted(times) and times[-1] <= len(samples) / RATE
    starts = np.cumsum([0.0] + [speech(name).duration + 3 for name in names])[:-1]
    fourth = next(segment for segment in segments(found) if segment.start >= starts[3] - 0.5)
    assert fourth.text.startswith(" And so")
    assert isinstance(found[-1], Usage) and found[-1].audio_in == pytest.approx(len(samples) / RATE)


def test_without_vad_windows_follow_one_another(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    samples = np.concatenate([speech(name).samples for name in ("jfk", "beckett", "librispeech", "jfk")])
    found = run(tiny, Transcribe(audio=Audio(samples, RATE), vad=False, condition_on_previous_text=True))[0]
    normal = EnglishTextNormalizer()
    words = " ".join(CLIPS[name].words for name in ("jfk", "beckett", "librispeech", "jfk"))
    assert jiwer.wer(normal(words), normal(text(found))) <= 0.08
    times = [time for segment in segments(found) for time in (segment.start, segment.end)]
    assert times == sorted(times) and times[-1] <= len(samples) / RATE


def test_two_words_are_heard_whole_and_once(engine: Whisper, speech: Callable[[str], Audio]) -> None:
    edges = ((0.3, 1.4), (1.9, 3.3), (3.4, 4.25), (4.85, 5.95), (6.6, 7.5), (8.1, 8.9))
    samples = speech("beckett").samples
    pieces = [samples[round(start * RATE) : round(end * RATE)] for start, end in edges]
    found = run(engine, *[Transcribe(audio=Audio(piece, RATE), language="en") for piece in pieces])
    normal = EnglishTextNormalizer()
    assert jiwer.wer(normal(CLIPS["beckett"].words), normal(" ".join(map(text, found)))) <= 1 / 12


def test_speech_after_an_early_stop_is_heard(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    """The model says that nothing follows this sentence's end; the loudness says that something does."""
    pause = np.zeros(RATE // 2, np.float32)
    names = ("librispeech", "jfk")
    samples = np.concatenate([speech("librispeech").samples, pause, speech("jfk").samples])
    state = tiny.begin(Transcribe(audio=Audio(samples, RATE)))
    while not state.prepared:
        tiny.step([state])
    assert isinstance(state, TranscriptionState) and len(state.queues) == 1
    window = Cut((Piece(0, 3, 0, 350),), 1500)
    assert transcribed_frames(window, 0, 1500, state.loudness) == 350
    assert transcribed_frames(Cut((Piece(0, 3, 0, 1440),), 1500), 0, 1500, state.loudness) == 1500
    assert transcribed_frames(Cut((Piece(0, 3, 0, 50),), 1500), 0, 1500, state.loudness) == 1500
    tiny.end(state)
    normal = EnglishTextNormalizer()
    words = " ".join(CLIPS[name].words for name in names)
    assert jiwer.wer(normal(words), normal(text(run(tiny, Transcribe(audio=Audio(samples, RATE)))[0]))) <= 0.04


def test_speech_that_the_model_leaps_over_is_heard(
    tiny: Whisper, speech: Callable[[str], Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window whose timestamps leave out speech is decoded again from there, and what was said before stays."""
    names = ["librispeech", "beckett", "librispeech"]
    leapt: list[Cut] = []

    def without_the_middle(*given: Any) -> Cut:
        found = quality.cut(*given)
        if not leapt and len(found.pieces) > 2:
            leapt.append(found)
            found = Cut((found.pieces[0], found.pieces[-1]), found.advance)
        return found

    monkeypatch.setattr(segments_module, "cut", without_the_middle)
    pause = np.zeros(RATE // 2, np.float32)
    samples = np.concatenate([part for name in names for part in (speech(name).samples, pause)])
    said = text(run(tiny, Transcribe(audio=Audio(samples, RATE), language="en"))[0])
    assert leapt
    normal = EnglishTextNormalizer()
    assert jiwer.wer(normal(" ".join(CLIPS[name].words for name in names)), normal(said)) <= 0.1


def test_clips_prompt_prefix_and_suppression(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    jfk = speech("jfk")
    half = run(tiny, Transcribe(audio=jfk, clips=((8.0, 11.0),)))[0]
    assert text(half).lower().strip(" .") == "ask what you can do for your country"
    assert segments(half)[0].start >= 7.9
    shouted = run(tiny, Transcribe(audio=jfk, prompt="AND NOW, MY FRIENDS, LISTEN TO HIS SPEECH:"))[0]
    assert text(shouted) != text(run(tiny, Transcribe(audio=jfk))[0])
    rest = run(tiny, Transcribe(audio=jfk, prefix="And so my fellow Americans", words=True))[0]
    assert tiny.vocabulary.decode(segments(rest)[0].tokens) == segments(rest)[0].text
    assert text(rest).startswith("ask not") and text(rest).strip(".").endswith("your country")
    assert segments(rest)[0].words[0].text == " ask"
    country = tiny.vocabulary.encode(" country")
    without = run(tiny, Transcribe(audio=jfk, suppress_tokens=(-1, *country)))[0]
    assert country[0] not in sampled(without) and len(sampled(without)) > 10


def test_clips_are_heard_in_order_and_once(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    found = run(tiny, Transcribe(audio=speech("jfk"), clips=((8.0, 11.0), (9.0, 10.5), (0.0, 2.0))))[0]
    said = [segment.text.lower() for segment in segments(found)]
    assert "".join(said).count("country") == 1 and "fellow" in said[0]
    assert [segment.start for segment in segments(found)] == sorted(segment.start for segment in segments(found))


def again(samples: np.ndarray, times: int, pause: float) -> Audio:
    silence = np.zeros(round(pause * RATE), np.float32)
    return Audio(np.concatenate([part for _ in range(times) for part in (samples, silence)]), RATE)


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("base", {}),
        ("tiny.en", {"vad": False}),
        ("tiny.en", {"vad": False, "condition_on_previous_text": True}),
        ("base", {"vad": False, "condition_on_previous_text": True}),
    ],
)
def test_what_is_said_twice_is_heard_twice(
    load: Callable[[str], Whisper], speech: Callable[[str], Audio], model: str, settings: dict[str, Any]
) -> None:
    """A text that repeats itself, where the audio does, is taken as it is: nothing of it is sampled."""
    normal = EnglishTextNormalizer()
    found = run(load(model), Transcribe(audio=again(speech("jfk").samples, 2, 0.0), language="en", **settings))[0]
    assert quality.compression_ratio(text(found)) > quality.COMPRESSION_LIMIT
    assert jiwer.wer(normal(" ".join([CLIPS["jfk"].words] * 2)), normal(text(found))) <= 0.05
    assert {segment.temperature for segment in segments(found)} == {0.0}


@pytest.mark.parametrize(
    ("model", "times", "pause"), [("tiny.en", 2, 0.0), ("base", 2, 0.0), ("base", 4, 0.0), ("base", 3, 0.6)]
)
def test_a_short_sentence_is_heard_as_often_as_it_was_said(
    load: Callable[[str], Whisper], speech: Callable[[str], Audio], model: str, times: int, pause: float
) -> None:
    """Some models say but once what is said again and again: what they were not heard to say is decoded anew."""
    audio = again(speech("librispeech").samples, times, pause)
    found = run(load(model), Transcribe(audio=audio, language="en", words=True))[0]
    assert text(found).count("to its place amidst the") == times
    ends = [end for word, _, end in timings(found) if word == " amidst"]
    each = speech("librispeech").duration + pause
    assert ends == pytest.approx([ends[0] + index * each for index in range(times)], abs=0.4)


def test_short_words_said_four_times(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    """The model says it six times, some of them heard at one place."""
    samples = speech("beckett").samples[round(3.3 * RATE) : round(4.3 * RATE)]
    assert text(run(tiny, Transcribe(audio=again(samples, 4, 0.5)))[0]) == " ".join(["No matter."] * 4)


def test_chance_decides_nothing_unless_it_was_asked_for(
    tiny: Whisper, speech: Callable[[str], Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speech backwards, sampled: the same each time, beside others and alone."""
    monkeypatch.setattr(quality, "LOGPROB_LIMIT", 0.0)
    audio = Audio(np.ascontiguousarray(speech("librispeech").samples[::-1]), RATE)
    request = Transcribe(audio=audio, temperatures=(0.0, 1.0))
    other = Transcribe(audio=speech("librispeech"), temperatures=(0.9, 1.0))
    found = [*run(tiny, *[request] * 2), *run(tiny, other, request)[1:], *run(tiny, request)]
    assert len({text(events) for events in found}) == 1 and text(found[0])
    asked = run(tiny, *[Transcribe(audio=audio, temperatures=(1.0,))] * 4)
    assert len({text(events) for events in asked}) > 1


@pytest.mark.parametrize(("model", "seconds"), [("tiny.en", 1.0), ("tiny.en", 17.0), ("base", 24.0)])
def test_every_word_has_a_length_and_its_place(
    load: Callable[[str], Whisper], speech: Callable[[str], Audio], model: str, seconds: float
) -> None:
    audio = Audio(np.tile(speech("jfk").samples, 3)[: round(seconds * RATE)], RATE)
    found = run(load(model), Transcribe(audio=audio, language="en", words=True))[0]
    words = [word for segment in segments(found) for word in segment.words]
    assert words and all(word.end - word.start >= 0.01 for word in words)
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times) and times[-1] <= seconds
    for segment in segments(found):
        assert segment.start <= segment.words[0].start and segment.words[-1].end <= segment.end


def test_a_few_words_in_a_long_noise_are_heard(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    words = speech("librispeech").samples
    sound = np.random.default_rng(6).standard_normal(90 * RATE).astype(np.float32)
    sound *= np.float32(np.sqrt(np.mean(words**2)) * 10 ** (-25 / 20))
    sound[40 * RATE : 40 * RATE + len(words)] += words
    found = run(tiny, Transcribe(audio=Audio(sound, RATE)))[0]
    normal = EnglishTextNormalizer()
    assert jiwer.wer(normal(CLIPS["librispeech"].words), normal(text(found))) <= 1 / 8
    assert 39 <= segments(found)[0].start <= 41


def test_hotwords_tip_the_scales(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    plain = text(run(tiny, Transcribe(audio=speech("librispeech")))[0])
    hinted = text(run(tiny, Transcribe(audio=speech("librispeech"), hotwords=("Conchord",)))[0])
    assert plain.startswith("Concord") and hinted.startswith("Conchord")


def test_log_probabilities_of_tokens(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    said = segments(run(tiny, Transcribe(audio=speech("librispeech"), logprobs=True))[0])[0]
    assert b"".join(token for token, _ in said.logprobs).decode() == said.text
    assert np.exp(np.mean([logprob for _, logprob in said.logprobs])) == pytest.approx(said.confidence)


def test_translate(load: Callable[[str], Whisper], speech: Callable[[str], Audio]) -> None:
    """English said to be French is still heard as something to put into English."""
    found = text(run(load("base"), Transcribe(audio=speech("jfk"), language="fr", task="translate"))[0])
    assert "your country" in found


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"language": "xx"}, Unsupported, "it knows"),
        ({"language": "fr"}, Unsupported, "it knows en"),
        ({"task": "translate"}, Unsupported, "multilingual"),
        ({"temperatures": ()}, BadRequest, "between 0 and 2"),
        ({"temperatures": (3.0,)}, BadRequest, "between 0 and 2"),
        ({"suppress_tokens": (-2,)}, BadRequest, "allowed"),
        ({"prefix": "many words " * 60}, BadRequest, "prefix of 120 tokens; .* 112"),
        ({"hotwords": ("antidisestablishmentarianism",) * 30}, BadRequest, "hotwords of 1[0-9]+ tokens; .* 112"),
        ({"beam_size": 0}, BadRequest, "1 to 10"),
        ({"beam_size": 11}, BadRequest, "1 to 10"),
        ({"clips": ((2.0, 1.0),)}, BadRequest, "start < end"),
        ({"audio": Audio(np.zeros(10, np.float32), 8000)}, BadAudio, "16000"),
        ({"audio": Audio(np.full(10, np.nan, np.float32), RATE)}, BadAudio, "finite"),
    ],
)
def test_bad_requests_are_refused(tiny: Whisper, change: dict[str, Any], error: type[SpeechError], says: str) -> None:
    good: dict[str, Any] = {"audio": Audio(np.zeros(RATE, np.float32), RATE)}
    with pytest.raises(error, match=says):
        tiny.begin(Transcribe(**good | change))


def test_other_requests_are_refused(tiny: Whisper) -> None:
    with pytest.raises(Unsupported, match="DetectTurn"):
        tiny.begin(DetectTurn(audio=Audio(np.zeros(RATE, np.float32), RATE)))
