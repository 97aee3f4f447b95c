"""The engine of MeloTTS on small made weights: requests, steps, and what cannot be done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support.engine_runs import in_turns, result, sound
from support.melo_model import SPEAKERS, write_model

from speechmlx.engines import LoadOptions, melotts
from speechmlx.engines.finite import NotFinite
from speechmlx.engines.melotts.arpabet import PHONES
from speechmlx.engines.melotts.engine import BETWEEN, MeloTTS
from speechmlx.engines.melotts.phone_words import PhoneWord
from speechmlx.errors import BadRequest, ModelUnavailable, SpeechError, UnknownVoice, Unsupported, WeightsDamaged
from speechmlx.reading import pronunciation
from speechmlx.types import Audio, Chunk, NamedVoice, ReferenceVoice, Speak, SpeakStream, Transcribe, Usage

RATE = 44_100
SYMBOLS = ("_", *sorted({phone for phones in PHONES.values() for phone in phones.split()}), *",.!?…", "UNK")
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello", "there", "i", "hear", "##s", ",", ".", "!", "?")
TEXT = "Hello there, I hear. Nature calls!"


@pytest.fixture(scope="module")
def load(
    loaded: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, cold: LoadOptions
) -> Callable[..., MeloTTS]:
    def make(options: LoadOptions = cold, **data: Any) -> MeloTTS:
        folder = write_model(tmp_path_factory.mktemp("melotts"), SYMBOLS, VOCABULARY, **data)
        engine: MeloTTS = loaded(melotts.load(folder, options))
        return engine

    return make


@pytest.fixture(scope="module")
def engine(load: Callable[..., MeloTTS]) -> MeloTTS:
    return load()


def test_a_text_is_spoken_sentence_by_sentence(engine: MeloTTS) -> None:
    events = [event for event in engine.run(Speak(text=TEXT)) if event is not None]
    assert isinstance(events[-1], Usage)
    samples = sound(events)
    assert events[-1].audio_out == pytest.approx(len(samples) / RATE) and samples.any()
    silence = bytes(2 * round(BETWEEN * RATE))
    assert [event.pcm16 == silence for event in events if isinstance(event, Chunk)] == [False, True] * 2
    parts = [sound(engine.run(Speak(text=text))) for text in ("Hello there, I hear.", "Nature calls!")]
    assert np.array_equal(samples, np.concatenate(parts)), "a sentence sounds the same in any text"


def test_a_stream_of_text_sounds_as_the_whole(engine: MeloTTS) -> None:
    stream = engine.open(SpeakStream())
    events = [event for at in range(0, len(TEXT), 3) for event in stream.feed_text(TEXT[at : at + 3])]
    assert sound(events).any()
    assert np.array_equal(sound(iter([*events, *stream.finish()])), sound(engine.run(Speak(text=TEXT))))
    stream.close()


def test_the_speakers_of_the_checkpoint(engine: MeloTTS) -> None:
    said = {name: sound(engine.run(Speak(text="Hello.", voice=NamedVoice(name)))) for name in SPEAKERS}
    first = sound(engine.run(Speak(text="Hello.")))
    assert np.array_equal(first, said["EN-US"]), "the first where none is named"
    assert np.array_equal(said["EN_INDIA"], sound(engine.run(Speak(text="Hello.", voice=NamedVoice("en-india")))))
    assert len({samples.tobytes() for samples in said.values()}) == len(SPEAKERS)


@pytest.mark.parametrize("changes", [{"seed": 1}, {"sdp_ratio": 1}, {"noise_scale": 0.1}, {"noise_scale_w": 0}])
def test_options_act(engine: MeloTTS, changes: dict[str, float]) -> None:
    request = Speak(text=TEXT, options={"sdp_ratio": 0.9}, speed=0.25)
    plain = sound(engine.run(request))
    assert np.array_equal(plain, sound(engine.run(request)))
    changed = sound(engine.run(dataclasses.replace(request, options={**request.options, **changes})))
    assert len(plain) != len(changed) or not np.array_equal(plain, changed)


def test_a_slower_text_is_longer(engine: MeloTTS) -> None:
    slow, plain = (len(sound(engine.run(Speak(text=TEXT, speed=speed)))) for speed in (0.25, 1.0))
    assert slow > 3 * plain


def test_breaks_rates_and_pauses(engine: MeloTTS) -> None:
    quiet = bytes(RATE)
    events = [event for event in engine.run(Speak(text="Hello. [pause:500ms] I hear.")) if isinstance(event, Chunk)]
    assert [event.pcm16 for event in events].count(quiet) == 1
    text = '<speak>Hello <prosody rate="50%">there</prosody> <break time="500ms"/> I hear.</speak>'
    events = [event for event in engine.run(Speak(text=text)) if isinstance(event, Chunk)]
    assert [event.pcm16 for event in events].count(quiet) == 1
    assert [event for event in engine.run(Speak(text="…")) if event] == [Chunk.silence(RATE), Usage(audio_out=0.2)]


def test_numbers_are_words(engine: MeloTTS) -> None:
    written, spelled = (
        sound(engine.run(Speak(text=text))) for text in ("It is $5 at 9:30.", "It is five dollars at nine thirty.")
    )
    assert np.array_equal(written, spelled)


def test_a_lexicon_counts(engine: MeloTTS) -> None:
    from speechmlx.types import Pronunciation

    plain = Speak(text="Hello.")
    entry = Pronunciation("Hello", phonemes="ˈaɪ")
    assert not np.array_equal(
        sound(engine.run(plain)), sound(engine.run(dataclasses.replace(plain, pronunciations=(entry,))))
    )


def test_two_jobs_step_by_step_are_two_lone_ones_whatever_the_pace(engine: MeloTTS) -> None:
    requests = [
        Speak(text=TEXT),
        Speak(text="I hear nature.", voice=NamedVoice("EN-BR"), options={"seed": 4}, speed=0.5),
    ]
    alone = [sound(engine.run(request)) for request in requests]
    for one, both in zip(alone, in_turns(engine, *requests), strict=True):
        assert np.array_equal(one, sound(both))


def test_a_cancelled_job_leaves_nothing(engine: MeloTTS) -> None:
    sound(engine.run(Speak(text=TEXT)))
    mx.clear_cache()
    before = mx.get_active_memory()
    job = engine.run(Speak(text=TEXT * 3))
    for _ in range(12):
        next(job)
    assert mx.get_active_memory() > before
    job.close()  # type: ignore[attr-defined]
    del job
    mx.clear_cache()
    assert mx.get_active_memory() <= before


def test_a_long_sentence_comes_in_pieces(engine: MeloTTS) -> None:
    text = "I hear nature, and nature hears me, " * 12 + "there."
    ends = [event for event in engine.run(Speak(text=text)) if isinstance(event, Chunk) and not any(event.pcm16)]
    assert len(ends) >= 2


def test_a_checkpoint_without_features_of_words(load: Callable[..., MeloTTS]) -> None:
    engine = load(disable_bert=True)
    assert engine.bert is None and sound(engine.run(Speak(text=TEXT))).any()


def test_it_says_a_word_when_it_is_loaded(load: Callable[..., MeloTTS], options: LoadOptions) -> None:
    assert load(dataclasses.replace(options, warm_up=True)).speakers == SPEAKERS


def test_half_the_bytes_for_the_words_on_a_gpu(
    engine: MeloTTS, load: Callable[..., MeloTTS], cold: LoadOptions
) -> None:
    half = load(dataclasses.replace(cold, dtype="float16"))
    saved = engine.nbytes - half.nbytes
    assert half.bert is not None and saved == sum(array.nbytes for array in half.bert._tensors._weights.values())
    line = half.lines.lay_out([PhoneWord("hello", ("hh", "ow"), (7, 8))])
    features = [result(one.bert(mx.array(line.tokens))) for one in (engine, half) if one.bert is not None]
    assert features[1].dtype == mx.float32 and np.allclose(features[0], features[1], atol=0.02)
    assert sound(half.run(Speak(text=TEXT))).any()


def test_a_language_whose_reader_is_not_installed(
    loaded: Callable[..., Any], tmp_path: Path, options: LoadOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    pronunciation.reader.cache_clear()
    monkeypatch.setattr(pronunciation.espeak, "available", lambda: False)
    folder = write_model(tmp_path, SYMBOLS, VOCABULARY, "spanish")
    engine = loaded(melotts.load(folder, dataclasses.replace(options, warm_up=True)))
    with pytest.raises(Unsupported, match="Spanish needs espeak-ng"):
        engine.run(Speak(text="Hola."))
    with pytest.raises(Unsupported, match="speaks spanish, not 'en'"):
        engine.run(Speak(text="Hello.", language="en"))
    pronunciation.reader.cache_clear()


def test_numbers_that_are_none_are_an_error(engine: MeloTTS) -> None:
    weights = engine.network._tensors._weights
    broken = dataclasses.replace(
        engine, vocoder=type(engine.vocoder)(_tensors_with_nan(weights), (4, 2), [[1, 3, 5]] * 2)
    )
    with pytest.raises(NotFinite, match="synthesis"):
        list(broken.run(Speak(text="Hello.")))


def _tensors_with_nan(weights: Any) -> Any:
    from speechmlx.engines.parts.tensors import Tensors

    name = "dec.conv_post.weight"
    return Tensors({**weights, name: weights[name] * float("nan")}, "dec.")


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"options": {"pbar": 3}}, Unsupported, "its options are sdp_ratio, noise_scale, noise_scale_w, seed"),
        ({"options": {"sdp_ratio": 2}}, BadRequest, "sdp_ratio must be a number from 0 to 1, not 2"),
        ({"options": {"seed": 1.5}}, BadRequest, "seed must be a whole number from 0 to 4294967295"),
        ({"options": {"noise_scale": True}}, BadRequest, "noise_scale must be a number from 0 to 2"),
        ({"speed": 9}, BadRequest, "0.25 to 4"),
        ({"language": "de"}, Unsupported, "speaks english, not 'de'"),
        ({"language": "es"}, Unsupported, "each language has a model of its own, and GET /v1/models lists them"),
        ({"voice": NamedVoice("nobody")}, UnknownVoice, "the voices are EN-US, EN-BR, EN_INDIA, EN-Default"),
        (
            {"voice": ReferenceVoice(Audio(np.zeros(24_000, np.float32), 24_000), "x", "x")},
            Unsupported,
            "cannot imitate a recording; its voices are EN-US",
        ),
        ({"text": " "}, BadRequest, "nothing in the text can be said"),
        ({"text": "[pause:11s] Hello."}, BadRequest, "a pause has 10 s at most"),
    ],
)
def test_what_cannot_be_done_is_said(
    engine: MeloTTS, changed: dict[str, Any], error: type[SpeechError], says: str
) -> None:
    with pytest.raises(error, match=says):
        list(engine.run(Speak(**{"text": TEXT, **changed})))


def test_other_requests(engine: MeloTTS) -> None:
    with pytest.raises(Unsupported, match="answers Speak requests"):
        engine.run(Transcribe(audio=Audio(np.zeros(1600, np.float32), 16_000)))
    with pytest.raises(Unsupported, match="streams SpeakStream"):
        engine.open(Speak(text="x"))


@pytest.mark.parametrize(
    ("symbols", "vocabulary", "error", "says"),
    [
        (SYMBOLS[1:], VOCABULARY, WeightsDamaged, "'_' is the first"),
        (SYMBOLS, VOCABULARY[3:], ModelUnavailable, r"no readable vocab\.txt: cls_token"),
        (SYMBOLS, ("[CLS]", "[SEP]", "x"), ModelUnavailable, r"lacks \[UNK\]"),
    ],
)
def test_damaged_folders_are_refused(
    loaded: Callable[..., Any],
    tmp_path: Any,
    cold: LoadOptions,
    symbols: Any,
    vocabulary: Any,
    error: type[SpeechError],
    says: str,
) -> None:
    with pytest.raises(error, match=says):
        loaded(melotts.load(write_model(tmp_path, symbols, vocabulary), cold))
