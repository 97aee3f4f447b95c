"""Whisper on the starter weights: the words are right, and the numbers are those of openai-whisper."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jiwer
import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
import soundfile
from mlx.utils import tree_flatten
from support.clips import CLIPS
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.engines import Batched, LoadOptions, whisper
from speechmlx.engines.whisper.decoding import quality
from speechmlx.engines.whisper.decoding.greedy import TokenSequence
from speechmlx.engines.whisper.decoding.prefill import PromptCache, causal
from speechmlx.engines.whisper.decoding.quality import Cut, Piece
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.engines.whisper.model import mel
from speechmlx.engines.whisper.model.network import GPU, Network
from speechmlx.engines.whisper.model.weights import dims
from speechmlx.engines.whisper.offline import segments as segments_module
from speechmlx.engines.whisper.offline.segments import transcribed_frames
from speechmlx.engines.whisper.offline.transcription import TranscriptionState
from speechmlx.errors import BadAudio, BadRequest, SpeechError, Unsupported
from speechmlx.types import Audio, DetectTurn, Event, LanguageDetected, Request, Segment, Transcribe, Usage

MODELS = ("tiny.en", "base")
DATA = Path(__file__).parent / "data"
RATE = 16_000


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def load(model_folder: Callable[[str], Path], loaded: Callable[..., Any]) -> Callable[[str], Whisper]:
    @functools.cache
    def load(name: str) -> Whisper:
        return loaded(whisper.load(model_folder(f"whisper-{name}"), LoadOptions(warm_up=False)))

    return load


@pytest.fixture
def engine(load: Callable[[str], Whisper], model: str) -> Whisper:
    return load(model)


@pytest.fixture
def tiny(load: Callable[[str], Whisper]) -> Whisper:
    return load("tiny.en")


@pytest.fixture
def engine_folder(model_folder: Callable[[str], Path], tmp_path: Path) -> Callable[[int], Path]:
    """tiny.en quantized as mlx-whisper's converter does it."""

    def quantized(bits: int) -> Path:
        folder = model_folder("whisper-tiny.en")
        config = json.loads((folder / "config.json").read_text())
        network = Network(dims(config), GPU)
        weights = mx.load(str(folder / "model.safetensors"))
        network.load_weights(list(weights.items()))
        nn.quantize(network, 64, bits)
        mx.save_safetensors(str(tmp_path / "model.safetensors"), dict(tree_flatten(network.parameters())))
        (tmp_path / "config.json").write_text(json.dumps(config | {"quantization": {"group_size": 64, "bits": bits}}))
        return tmp_path

    return quantized


@pytest.fixture(scope="module")
def speech(clip: Callable[[str], Path]) -> Callable[[str], Audio]:
    @functools.cache
    def speech(name: str) -> Audio:
        samples, rate = soundfile.read(clip(name), dtype="float32")
        return Audio(samples, rate)

    return speech


def run(engine: Whisper, requests: Sequence[Request]) -> list[list[Event]]:
    """Every request's events, all stepped together."""
    states = [engine.begin(request) for request in requests]
    found: list[list[Event]] = [[] for _ in states]
    while live := [state for state in states if not state.finished]:
        for state, events in zip(live, engine.step(live), strict=True):
            assert not any(isinstance(event, Exception) for event in events)
            found[states.index(state)] += events
    for state in states:
        engine.end(state)
    return found


def segments(events: Sequence[Event]) -> list[Segment]:
    return [event for event in events if isinstance(event, Segment)]


def text(events: Sequence[Event]) -> str:
    return "".join(segment.text for segment in segments(events)).strip()


def sampled(events: Sequence[Event]) -> list[int]:
    return [token for segment in segments(events) for token in segment.tokens]


def timings(events: Sequence[Event]) -> list[tuple[str, float, float]]:
    return [(word.text, word.start, word.end) for segment in segments(events) for word in segment.words]


def reference(model: str, clip: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"whisper-{model}.npz") as stored:
        return {name.partition(".")[2]: stored[name] for name in stored if name.startswith(f"{clip}.")}


def spectrogram(audio: Audio) -> np.ndarray:
    whole = mel.normalize(np.concatenate(list(mel.log_mel_slices(audio.samples, 80))))
    return mel.window(whole, 0, len(whole))


def empty(engine: Whisper) -> bool:
    batch = engine.offline
    searching = any(search._beams for search in batch._searches.values())
    return not batch._states and batch._encoder_pass is None and not batch._greedy.rows and not searching


# --- parity with openai-whisper ---


@pytest.mark.parametrize("name", CLIPS)
def test_spectrogram_encoder_and_logits_are_the_reference_s(
    engine: Whisper, model: str, speech: Callable[[str], Audio], name: str
) -> None:
    expected = reference(model, name)
    features = spectrogram(speech(name))
    np.testing.assert_allclose(features[::50, ::8], expected["mel"], atol=1e-4)
    encoded = engine.network.encoder(mx.array(features)[None])
    np.testing.assert_allclose(np.array(encoded)[0, ::50, ::16], expected["encoded"], atol=1e-3)
    tokens = [*engine.vocabulary.start("en", "transcribe"), *expected["tokens"].tolist()]
    hidden, _ = engine.network.decoder(
        mx.array([tokens]),
        mx.arange(len(tokens))[None],
        PromptCache(),
        engine.network.cross(encoded),
        causal(len(tokens), mx.float32),
    )
    logits = np.array(engine.network.decoder.logits(hidden))[0]
    np.testing.assert_allclose(logits[:, ::499], expected["logits"], atol=1e-3)
    assert logits.argmax(-1).tolist() == expected["best"].tolist()


@pytest.mark.parametrize("name", CLIPS)
def test_greedy_tokens_are_the_reference_s(
    engine: Whisper, model: str, speech: Callable[[str], Audio], name: str
) -> None:
    expected = reference(model, name)
    found = run(engine, [Transcribe(audio=speech(name), language="en", vad=False)])[0]
    assert sampled(found) == expected["tokens"].tolist()
    said = segments(found)[0]
    assert said.avg_logprob == pytest.approx(float(expected["avg_logprob"]), abs=1e-3)
    assert said.no_speech_prob == pytest.approx(float(expected["no_speech"]), abs=1e-3)


@pytest.mark.parametrize("name", CLIPS)
def test_beam_search_is_the_reference_s(engine: Whisper, model: str, speech: Callable[[str], Audio], name: str) -> None:
    expected = reference(model, name)
    found = run(engine, [Transcribe(audio=speech(name), language="en", vad=False, beam_size=5)])[0]
    assert sampled(found) == expected["beam_tokens"].tolist()
    assert segments(found)[0].avg_logprob == pytest.approx(float(expected["beam_avg_logprob"]), abs=1e-3)
    assert empty(engine)


@pytest.mark.parametrize("name", CLIPS)
def test_word_times_are_the_reference_s(engine: Whisper, model: str, speech: Callable[[str], Audio], name: str) -> None:
    expected = reference(model, name)
    found = run(engine, [Transcribe(audio=speech(name), language="en", vad=False, words=True)])[0]
    words = [word for segment in segments(found) for word in segment.words]
    assert "".join(word.text for word in words) == "".join(expected["words"].tolist())
    spoken = [any(map(str.isalnum, text)) for text in expected["words"]]  # marks are words of their own there
    for word, end in zip(words, expected["ends"][spoken].tolist(), strict=True):
        assert abs(end - word.end) <= 0.03
        assert 0.0 <= word.start <= word.end <= speech(name).duration
        assert 0.0 < word.confidence <= 1.0
    assert [word.start for word in words] == sorted(word.start for word in words)


def test_language_is_the_reference_s(load: Callable[[str], Whisper], speech: Callable[[str], Audio]) -> None:
    found = run(load("base"), [Transcribe(audio=speech("jfk"), vad=False)])[0][0]
    assert isinstance(found, LanguageDetected)
    assert found.language == "en"
    assert found.probability == pytest.approx(float(reference("base", "jfk")["english"]), abs=1e-3)


# --- words ---


def test_word_error_rate(engine: Whisper, speech: Callable[[str], Audio]) -> None:
    normal = EnglishTextNormalizer()
    found = run(engine, [Transcribe(audio=speech(name), language="en") for name in CLIPS])
    said = [normal(text(events)) for events in found]
    assert jiwer.wer([normal(clip.words) for clip in CLIPS.values()], said) <= 0.03
    for events in found:
        assert all(0.5 < segment.confidence <= 1.0 for segment in segments(events))


def test_a_long_recording_is_cut_where_nobody_speaks(engine: Whisper, speech: Callable[[str], Audio]) -> None:
    """Windows decode side by side; times are those of the recording, segments in order and inside it."""
    names = ["jfk", "beckett", "librispeech", "jfk", "beckett"]
    pause = np.zeros(3 * RATE, np.float32)
    samples = np.concatenate([part for name in names for part in (speech(name).samples, pause)])
    found = run(engine, [Transcribe(audio=Audio(samples, RATE), language="en", words=True)])[0]
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
    found = run(tiny, [Transcribe(audio=Audio(samples, RATE), vad=False, condition_on_previous_text=True)])[0]
    normal = EnglishTextNormalizer()
    words = " ".join(CLIPS[name].words for name in ("jfk", "beckett", "librispeech", "jfk"))
    assert jiwer.wer(normal(words), normal(text(found))) <= 0.08
    times = [time for segment in segments(found) for time in (segment.start, segment.end)]
    assert times == sorted(times) and times[-1] <= len(samples) / RATE


def test_two_words_are_heard_whole_and_once(engine: Whisper, speech: Callable[[str], Audio]) -> None:
    edges = ((0.3, 1.4), (1.9, 3.3), (3.4, 4.25), (4.85, 5.95), (6.6, 7.5), (8.1, 8.9))
    samples = speech("beckett").samples
    pieces = [samples[round(start * RATE) : round(end * RATE)] for start, end in edges]
    found = run(engine, [Transcribe(audio=Audio(piece, RATE), language="en") for piece in pieces])
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
    assert jiwer.wer(normal(words), normal(text(run(tiny, [Transcribe(audio=Audio(samples, RATE))])[0]))) <= 0.04


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
    said = text(run(tiny, [Transcribe(audio=Audio(samples, RATE), language="en")])[0])
    assert leapt
    normal = EnglishTextNormalizer()
    assert jiwer.wer(normal(" ".join(CLIPS[name].words for name in names)), normal(said)) <= 0.1


def test_clips_prompt_prefix_and_suppression(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    jfk = speech("jfk")
    half = run(tiny, [Transcribe(audio=jfk, clips=((8.0, 11.0),))])[0]
    assert text(half).lower().strip(" .") == "ask what you can do for your country"
    assert segments(half)[0].start >= 7.9
    shouted = run(tiny, [Transcribe(audio=jfk, prompt="AND NOW, MY FRIENDS, LISTEN TO HIS SPEECH:")])[0]
    assert text(shouted) != text(run(tiny, [Transcribe(audio=jfk)])[0])
    rest = run(tiny, [Transcribe(audio=jfk, prefix="And so my fellow Americans", words=True)])[0]
    assert tiny.vocabulary.decode(segments(rest)[0].tokens) == segments(rest)[0].text
    assert text(rest).startswith("ask not") and text(rest).strip(".").endswith("your country")
    assert segments(rest)[0].words[0].text == " ask"
    country = tiny.vocabulary.encode(" country")
    without = run(tiny, [Transcribe(audio=jfk, suppress_tokens=(-1, *country))])[0]
    assert country[0] not in sampled(without) and len(sampled(without)) > 10


def test_clips_are_heard_in_order_and_once(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    found = run(tiny, [Transcribe(audio=speech("jfk"), clips=((8.0, 11.0), (9.0, 10.5), (0.0, 2.0)))])[0]
    said = [segment.text.lower() for segment in segments(found)]
    assert "".join(said).count("country") == 1 and "fellow" in said[0]
    assert [segment.start for segment in segments(found)] == sorted(segment.start for segment in segments(found))


def again(samples: np.ndarray, times: int, pause: float) -> Audio:
    silence = np.zeros(round(pause * RATE), np.float32)
    return Audio(np.concatenate([part for _ in range(times) for part in (samples, silence)]), RATE)


@pytest.mark.parametrize("options", [{}, {"vad": False}, {"vad": False, "condition_on_previous_text": True}])
def test_what_is_said_twice_is_heard_twice(
    engine: Whisper, speech: Callable[[str], Audio], options: dict[str, Any]
) -> None:
    """A text that repeats itself, where the audio does, is taken as it is: nothing of it is sampled."""
    normal = EnglishTextNormalizer()
    found = run(engine, [Transcribe(audio=again(speech("jfk").samples, 2, 0.0), language="en", **options)])[0]
    assert quality.compression_ratio(text(found)) > quality.COMPRESSION_LIMIT
    assert jiwer.wer(normal(" ".join([CLIPS["jfk"].words] * 2)), normal(text(found))) <= 0.05
    assert {segment.temperature for segment in segments(found)} == {0.0}


@pytest.mark.parametrize(("times", "pause"), [(2, 0.0), (4, 0.0), (3, 0.6)])
def test_a_short_sentence_is_heard_as_often_as_it_was_said(
    engine: Whisper, speech: Callable[[str], Audio], times: int, pause: float
) -> None:
    """Some models say but once what is said again and again: what they were not heard to say is decoded anew."""
    audio = again(speech("librispeech").samples, times, pause)
    found = run(engine, [Transcribe(audio=audio, language="en", words=True)])[0]
    assert text(found).count("to its place amidst the") == times
    ends = [end for word, _, end in timings(found) if word == " amidst"]
    each = speech("librispeech").duration + pause
    assert ends == pytest.approx([ends[0] + index * each for index in range(times)], abs=0.4)


def test_short_words_said_four_times(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    """The model says it six times, some of them heard at one place."""
    samples = speech("beckett").samples[round(3.3 * RATE) : round(4.3 * RATE)]
    assert text(run(tiny, [Transcribe(audio=again(samples, 4, 0.5))])[0]) == " ".join(["No matter."] * 4)


def test_chance_decides_nothing_unless_it_was_asked_for(
    tiny: Whisper, speech: Callable[[str], Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speech backwards, sampled at every temperature: the same each time, beside others and alone."""
    monkeypatch.setattr(quality, "LOGPROB_LIMIT", 0.0)
    audio = Audio(np.ascontiguousarray(speech("librispeech").samples[::-1]), RATE)
    request = Transcribe(audio=audio, temperatures=(0.0, 0.6, 1.0))
    other = Transcribe(audio=speech("librispeech"), temperatures=(0.9, 1.0))
    found = [*run(tiny, [request] * 4), *run(tiny, [other, request, other])[1:2], *run(tiny, [request])]
    assert len({text(events) for events in found}) == 1 and text(found[0])
    asked = run(tiny, [Transcribe(audio=audio, temperatures=(1.0,))] * 6)
    assert len({text(events) for events in asked}) > 1


@pytest.mark.parametrize("seconds", [1.0, 17.0, 24.0])
def test_every_word_has_a_length_and_its_place(engine: Whisper, speech: Callable[[str], Audio], seconds: float) -> None:
    audio = Audio(np.tile(speech("jfk").samples, 3)[: round(seconds * RATE)], RATE)
    found = run(engine, [Transcribe(audio=audio, language="en", words=True)])[0]
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
    found = run(tiny, [Transcribe(audio=Audio(sound, RATE))])[0]
    normal = EnglishTextNormalizer()
    assert jiwer.wer(normal(CLIPS["librispeech"].words), normal(text(found))) <= 1 / 8
    assert 39 <= segments(found)[0].start <= 41


def test_hotwords_tip_the_scales(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    plain = text(run(tiny, [Transcribe(audio=speech("librispeech"))])[0])
    hinted = text(run(tiny, [Transcribe(audio=speech("librispeech"), hotwords=("Conchord",))])[0])
    assert plain.startswith("Concord") and hinted.startswith("Conchord")


def test_log_probabilities_of_tokens(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    said = segments(run(tiny, [Transcribe(audio=speech("librispeech"), logprobs=True)])[0])[0]
    assert b"".join(token for token, _ in said.logprobs).decode() == said.text
    assert np.exp(np.mean([logprob for _, logprob in said.logprobs])) == pytest.approx(said.confidence)


def test_translate(load: Callable[[str], Whisper], speech: Callable[[str], Audio]) -> None:
    """English said to be French is still heard as something to put into English."""
    found = text(run(load("base"), [Transcribe(audio=speech("jfk"), language="fr", task="translate")])[0])
    assert "your country" in found


# --- silence ---


@pytest.mark.parametrize("vad", [True, False])
@pytest.mark.parametrize("kind", ["silence", "white", "brown", "hum"])
def test_nothing_is_said_about_silence_and_noise(engine: Whisper, kind: str, vad: bool) -> None:
    draw = np.random.default_rng(3)
    length = (31 if vad else 10) * RATE
    sound = {
        "silence": np.zeros(length),
        "white": 0.05 * draw.standard_normal(length),
        "brown": _brown(draw, length),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * np.arange(length) / RATE),
    }[kind]
    found = run(engine, [Transcribe(audio=Audio(sound.astype(np.float32), RATE), language="en", vad=vad)])[0]
    assert text(found) == ""


def _brown(draw: np.random.Generator, length: int) -> np.ndarray:
    spectrum = np.fft.rfft(draw.standard_normal(length))
    spectrum /= np.maximum(np.arange(len(spectrum)), length // 200)
    sound = np.fft.irfft(spectrum, length)
    return 0.05 * sound / sound.std()


def test_very_short_and_empty_audio(tiny: Whisper) -> None:
    for length in (0, 1, 399, 400, 1600):
        found = run(tiny, [Transcribe(audio=Audio(np.zeros(length, np.float32), RATE))])[0]
        assert text(found) == "" and isinstance(found[-1], Usage)


# --- batch ---


def test_batched_equals_alone(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    mixed = np.concatenate([speech(name).samples for name in ("beckett", "librispeech", "jfk", "beckett")])
    requests = [
        Transcribe(audio=speech("jfk"), language="en"),
        Transcribe(audio=speech("librispeech"), language="en", prompt="A story about a journey."),
        Transcribe(audio=speech("beckett"), language="en", words=True),
        Transcribe(audio=Audio(speech("jfk").samples[: 5 * RATE], RATE), language="en"),
        Transcribe(audio=Audio(mixed, RATE), language="en", words=True, temperatures=(0.0,)),
        Transcribe(audio=speech("librispeech"), language="en", words=True, beam_size=3),
    ]
    alone = [run(tiny, [request])[0] for request in requests]
    together = run(tiny, requests)
    for one, other in zip(alone, together, strict=True):
        assert sampled(one) == sampled(other)
        assert timings(one) == timings(other)
        for mine, its in zip(segments(one), segments(other), strict=True):
            assert mine.confidence == pytest.approx(its.confidence, abs=1e-4)
    assert empty(tiny)


def test_beams_of_several_windows_equal_each_alone(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    sizes = {"jfk": 3, "beckett": 3, "librispeech": 2}
    requests = [Transcribe(audio=speech(name), language="en", beam_size=size) for name, size in sizes.items()]
    requests.append(Transcribe(audio=Audio(speech("jfk").samples[: 5 * RATE], RATE), language="en", beam_size=3))
    alone = [run(tiny, [request])[0] for request in requests]
    for one, other in zip(alone, run(tiny, requests), strict=True):
        assert sampled(one) == sampled(other) != []
        for mine, its in zip(segments(one), segments(other), strict=True):
            assert mine.confidence == pytest.approx(its.confidence, abs=1e-4)
    assert empty(tiny)


def test_languages_are_found_for_each_of_a_batch(
    load: Callable[[str], Whisper], speech: Callable[[str], Audio]
) -> None:
    requests = [Transcribe(audio=speech(name)) for name in CLIPS]
    alone = [run(load("base"), [request])[0] for request in requests]
    together = run(load("base"), requests)
    for one, other in zip(alone, together, strict=True):
        found = [event for event in other if isinstance(event, LanguageDetected)]
        assert [event.language for event in found] == ["en"]
        assert found[0].probability == pytest.approx(one[0].probability, abs=1e-4)
        assert sampled(one) == sampled(other)


def test_a_language_is_found_among_those_asked_for(
    load: Callable[[str], Whisper], speech: Callable[[str], Audio]
) -> None:
    asked = [("fr", "en"), ("de", "fr"), ("fr",)]
    requests = [Transcribe(audio=speech("jfk"), languages=languages) for languages in asked]
    both, neither, one = (
        next(event for event in found if isinstance(event, LanguageDetected)) for found in run(load("base"), requests)
    )
    assert both.language == "en" and both.probability > 0.99
    assert neither.language in ("de", "fr") and 0.5 <= neither.probability <= 1
    assert (one.language, one.probability) == ("fr", 1.0)


def test_two_unsure_windows_are_sampled_beside_a_sure_one(
    tiny: Whisper, speech: Callable[[str], Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[float] = []
    take_anew = TokenSequence.restart
    monkeypatch.setattr(
        TokenSequence, "restart", lambda row, rules: again.append(rules.temperature) or take_anew(row, rules)
    )
    monkeypatch.setattr(quality, "LOGPROB_LIMIT", -0.5)
    backwards = np.ascontiguousarray(speech("jfk").samples[::-1])
    unsure = [
        Transcribe(audio=Audio(samples, RATE), vad=False, temperatures=(0.0, 0.8))
        for samples in (backwards, backwards[: 8 * RATE])
    ]
    sure = Transcribe(audio=speech("beckett"), language="en")
    first, middle, last = run(tiny, [unsure[0], sure, unsure[1]])
    assert sampled(middle) == sampled(run(tiny, [sure])[0])
    assert all(text(found) for found in (first, last)) and again == [0.8, 0.8]
    assert empty(tiny)


def test_a_search_that_was_unsure_is_sampled(
    tiny: Whisper, speech: Callable[[str], Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speech backwards: the fallback leaves the search for the batch, and nothing stays behind."""
    again: list[float] = []
    take_anew = TokenSequence.restart
    monkeypatch.setattr(
        TokenSequence, "restart", lambda row, rules: again.append(rules.temperature) or take_anew(row, rules)
    )
    monkeypatch.setattr(quality, "LOGPROB_LIMIT", -0.5)
    backwards = np.ascontiguousarray(speech("jfk").samples[::-1])
    request = Transcribe(audio=Audio(backwards, RATE), vad=False, beam_size=2, temperatures=(0.0, 0.8), words=True)
    assert text(run(tiny, [request])[0]) and again == [0.8]
    assert empty(tiny)


def test_requests_may_come_pause_and_leave(tiny: Whisper, speech: Callable[[str], Audio]) -> None:
    """One joins while another is half done, one is not stepped for a while, one is ended early: nobody else notices."""
    expected = sampled(run(tiny, [Transcribe(audio=speech("jfk"))])[0])
    first, gone = (tiny.begin(Transcribe(audio=speech("jfk"))) for _ in range(2))
    found: dict[int, list[Event]] = {id(first): []}
    for _ in range(25):
        found[id(first)] += tiny.step([first, gone])[0]
    assert tiny.offline._greedy.rows
    late = tiny.begin(Transcribe(audio=speech("jfk")))
    found[id(late)] = []
    tiny.end(gone)
    for turn in range(1000):
        live = [state for state in (first, late) if not state.finished and (state is late or turn > 20)]
        if not live and turn > 20:
            break
        for state, events in zip(live, tiny.step(live) if live else [], strict=True):
            found[id(state)] += events
    tiny.end(first)
    tiny.end(late)
    assert sampled(found[id(first)]) == sampled(found[id(late)]) == expected
    assert empty(tiny)


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("steps", [0, 1, 3, 5, 7, 12, 30])
def test_ending_in_the_middle_frees(tiny: Whisper, speech: Callable[[str], Audio], steps: int, beams: int) -> None:
    state = tiny.begin(Transcribe(audio=speech("jfk"), words=True, beam_size=beams))
    for _ in range(steps):
        tiny.step([state])
    tiny.end(state)
    assert empty(tiny)
    assert not tiny.offline._greedy._cache._arrays()


def test_the_gpu_s_operations_and_half_precision_give_the_same_words(
    model_folder: Callable[[str], Path], loaded: Callable[..., Any], speech: Callable[[str], Audio]
) -> None:
    """What runs on a GPU, run here: fused attention, float16, windows encoded together."""
    options = LoadOptions(dtype="float16", device="gpu", warm_up=False)
    engine = loaded(whisper.load(model_folder("whisper-tiny.en"), options))
    assert engine.nbytes < 80_000_000
    audio = speech("librispeech")
    requests = [Transcribe(audio=audio, words=True, prompt=prompt) for prompt in (None, "A story.")]
    for found in run(engine, requests):
        assert jiwer.wer(CLIPS["librispeech"].words, text(found)) <= 1 / 8


@pytest.mark.parametrize(("bits", "most_bytes"), [(4, 35_000_000), (8, 60_000_000)])
def test_quantized_weights(
    engine_folder: Callable[[int], Path],
    loaded: Callable[..., Any],
    speech: Callable[[str], Audio],
    bits: int,
    most_bytes: int,
) -> None:
    folder = engine_folder(bits)
    for device in ("cpu", "gpu"):
        options = LoadOptions(dtype="float32", device=device, warm_up=False)  # type: ignore[arg-type]
        engine = loaded(whisper.load(folder, options))
        found = run(engine, [Transcribe(audio=speech("librispeech"))])[0]
        assert jiwer.wer(CLIPS["librispeech"].words, text(found)) <= 1 / 8
        assert (engine.nbytes < most_bytes) is (device == "gpu")


def test_a_model_of_128_mels(tmp_path: Path, loaded: Callable[..., Any], speech: Callable[[str], Audio]) -> None:
    """The shapes of large-v3, small and at random: it runs to its end, in any of its hundred languages."""
    small = {"state": 64, "head": 2, "layer": 2}
    sizes = {f"n_{side}_{name}": value for side in ("audio", "text") for name, value in small.items()}
    config = {"n_mels": 128, "n_audio_ctx": 1500, "n_vocab": 51866, "n_text_ctx": 448, **sizes}
    mx.random.seed(3)
    network = Network(dims(config), GPU)
    mx.save_safetensors(str(tmp_path / "model.safetensors"), dict(tree_flatten(network.parameters())))
    (tmp_path / "config.json").write_text(json.dumps(config))
    engine = loaded(whisper.load(tmp_path, LoadOptions(warm_up=False)))
    assert "yue" in engine.vocabulary.languages
    found = run(engine, [Transcribe(audio=speech("jfk"), language="yue", temperatures=(0.0,))])[0]
    assert isinstance(found[-1], Usage)


def test_engine_is_batched(tiny: Whisper) -> None:
    assert isinstance(tiny, Batched)
    assert tiny.nbytes == sum(array.nbytes for _, array in tree_flatten(tiny.network.parameters()))


# --- bad requests ---


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
