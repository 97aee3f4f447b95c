"""Whisper listening live on the starter weights: right words, soon, once and for good, and none about silence."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import soundfile
from support import engine_runs
from support.clips import CLIPS
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.audio.resample import resample
from speechmlx.engines import BatchedStreaming
from speechmlx.engines.step_size import StepSize
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.engines.whisper.streaming.batch import LiveBatch
from speechmlx.engines.whisper.streaming.stream import PROMPT, LiveStream
from speechmlx.errors import BadAudio, BadRequest, Unsupported
from speechmlx.types import (
    Audio,
    Command,
    End,
    Event,
    Feed,
    Hypothesis,
    LanguageDetected,
    Listen,
    Speak,
    Transcribe,
    Word,
)

RATE = 16_000
POLICIES = ("alignatt", "localagreement")


@pytest.fixture(scope="module")
def engine(shared: Callable[[str], Any]) -> Whisper:
    return shared("whisper-tiny.en")


@pytest.fixture(scope="module")
def speech(clip: Callable[[str], Path]) -> Callable[[str], np.ndarray]:
    return functools.cache(lambda name: soundfile.read(clip(name), dtype="float32")[0])


@dataclass
class Heard:
    """What a stream said: its words in order, and when each was committed, in seconds of audio fed."""

    words: list[Word] = field(default_factory=list)
    when: list[float] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    fed: int = 0

    def take(self, events: Sequence[Event | Exception]) -> None:
        for event in events:
            if isinstance(event, Hypothesis):
                self.words += event.committed
                self.when += [self.fed / RATE] * len(event.committed)
            elif isinstance(event, LanguageDetected):
                self.languages.append(event.language)

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words)


def steps(engine: Whisper, stream: LiveStream, command: Command) -> Iterator[list[Event | Exception]]:
    """The events of each step that a command takes, with no other stream in the batch."""
    engine.feed(stream, command)
    while stream.busy:
        yield engine.step([stream])[0]


def run(engine: Whisper, stream: LiveStream, command: Command) -> list[Event]:
    return [event for events in steps(engine, stream, command) for event in events if not isinstance(event, Exception)]


def feed(engine: Whisper, stream: LiveStream, heard: Heard, samples: np.ndarray, chunk: int) -> None:
    """However long the talk is, what is kept of it is bounded."""
    for first in range(0, len(samples), chunk):
        piece = samples[first : first + chunk]
        heard.fed += len(piece)
        heard.take(run(engine, stream, Feed(piece)))
        assert len(stream.buffer) <= 13 * RATE and len(stream.committed) < 30


def begin(engine: Whisper, **options: Any) -> LiveStream:
    stream = engine.begin(Listen(**options))
    assert isinstance(stream, LiveStream)
    return stream


def listen(engine: Whisper, samples: np.ndarray, chunk: int = 1600, **options: Any) -> Heard:
    stream, heard = begin(engine, **options), Heard()
    feed(engine, stream, heard, samples, chunk)
    heard.take(run(engine, stream, End()))
    assert stream.finished
    engine.end(stream)
    return heard


def errors(said: str, names: Sequence[str]) -> float:
    normal = EnglishTextNormalizer()
    return jiwer.wer(normal(" ".join(CLIPS[name].words for name in names)), normal(said))


TALK = ("jfk", "beckett", "librispeech")


@pytest.fixture(scope="module")
def talk(engine: Whisper, speech: Callable[[str], np.ndarray]) -> Callable[[str], Heard]:
    """talk(policy) → what is heard of the clips of TALK one after the other, once for all tests."""
    samples = np.concatenate([speech(name) for name in TALK])
    return functools.cache(lambda policy: listen(engine, samples, policy=policy))


@pytest.mark.parametrize("policy", POLICIES)
def test_words_are_right_and_soon(talk: Callable[[str], Heard], policy: str) -> None:
    heard = talk(policy)
    assert len(heard.words) > 40 and errors(heard.text, TALK) <= 0.06
    assert heard.languages == ["en"]
    lags = np.array(heard.when) - [word.end for word in heard.words]
    assert lags.mean() <= 1.2 and np.percentile(lags, 90) <= 2.0
    times = [time for word in heard.words for time in (word.start, word.end)]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= heard.fed / RATE + 0.25


@pytest.mark.parametrize(
    ("name", "times", "phrase", "policy"),
    [
        ("librispeech", 4, "place amidst the", "alignatt"),
        ("librispeech", 4, "place amidst the", "localagreement"),
        ("beckett", 5, "matter", "alignatt"),
    ],
)
def test_what_is_said_again_and_again_is_said_as_often(
    engine: Whisper, speech: Callable[[str], np.ndarray], policy: str, name: str, times: int, phrase: str
) -> None:
    """Nothing said is taken for a loop, and each word has a length."""
    samples = speech(name) if name == "librispeech" else speech(name)[round(3.2 * RATE) : round(4.4 * RATE)]
    heard = listen(engine, np.concatenate([np.tile(samples, times), np.zeros(RATE, np.float32)]), policy=policy)
    assert heard.text.count(phrase) == times
    assert all(word.end - word.start >= 0.01 for word in heard.words)
    ends = [word.end for word in heard.words if word.text.strip(" .,") == phrase.split()[-1]]
    assert ends == pytest.approx(np.arange(times) * len(samples) / RATE + ends[0], abs=0.5)


def test_word_times_are_close_to_those_of_the_whole(
    engine: Whisper, speech: Callable[[str], np.ndarray], talk: Callable[[str], Heard]
) -> None:
    (events,) = engine_runs.run(engine, Transcribe(audio=Audio(speech("jfk"), RATE), words=True))
    whole = [word for segment in engine_runs.segments(events) for word in segment.words]
    ends = {word.text.strip(" .,").lower() + str(index > 13): word.end for index, word in enumerate(whole)}
    heard = [word for word in talk("alignatt").words if word.end < len(speech("jfk")) / RATE]
    gaps = [
        abs(ends[key] - word.end)
        for index, word in enumerate(heard)
        if (key := word.text.strip(" .,").lower() + str(index > 13)) in ends
    ]
    assert len(gaps) > 15 and np.median(gaps) <= 0.3


@pytest.mark.parametrize("policy", POLICIES)
def test_pieces_do_not_matter(engine: Whisper, speech: Callable[[str], np.ndarray], policy: str) -> None:
    """The same audio in other pieces gives the same words at the same times."""
    samples = speech("beckett")[: 3 * RATE]
    expected = listen(engine, samples, 8000, policy=policy).words
    assert expected and listen(engine, samples, 1333, policy=policy).words == expected
    assert listen(engine, samples, len(samples), policy=policy).words == expected


def test_streams_do_not_disturb_each_other_nor_batches(engine: Whisper, speech: Callable[[str], np.ndarray]) -> None:
    one, other = speech("jfk")[: 3 * RATE], speech("beckett")[: 3 * RATE]
    expected = [listen(engine, samples).words for samples in (one, other)]
    streams = [begin(engine) for _ in range(2)]
    heard = [Heard(), Heard()]
    state = engine.begin(Transcribe(audio=Audio(speech("jfk"), RATE)))
    for first in range(0, 3 * RATE, 4000):
        for stream, found, samples in zip(streams, heard, (one, other), strict=True):
            feed(engine, stream, found, samples[first : first + 4000], 4000)
            engine.step([state])
    for stream, found in zip(streams, heard, strict=True):
        found.take(run(engine, stream, End()))
        engine.end(stream)
    engine.end(state)
    assert [found.words for found in heard] == expected and all(expected)


def test_streams_share_a_batch_of_which_there_may_be_too_few_seats(
    engine: Whisper, speech: Callable[[str], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = [speech(name)[start * RATE : (start + 2) * RATE] for name in ("jfk", "beckett") for start in range(1, 4)]
    expected = [listen(engine, samples).text for samples in pieces]
    rows, seats, blocks = list[int](), 4, engine.network.dims.n_audio_layer
    monkeypatch.setattr(engine.live, "max_batch", seats)
    monkeypatch.setattr(engine.live, "_blocks", StepSize(blocks, blocks, blocks))  # whatever time they take
    decode = LiveBatch._decode
    monkeypatch.setattr(LiveBatch, "_decode", lambda batch: rows.append(len(batch._rows)) or decode(batch))
    streams, heard = [begin(engine) for _ in pieces], [Heard() for _ in pieces]
    commands: list[list[Command]] = [[Feed(samples), End()] for samples in pieces]
    while not all(stream.finished for stream in streams):
        for turn in range(len(streams)):
            order = [*range(turn, len(streams)), *range(turn)]
            for index in order:
                if not streams[index].busy and commands[index]:
                    engine.feed(streams[index], commands[index].pop(0))
            order = [index for index in order if streams[index].busy]
            for index, events in zip(order, engine.step([streams[i] for i in order]) if order else (), strict=True):
                heard[index].take(events)
    assert [found.text for found in heard] == expected
    assert max(rows) == seats and np.mean(rows) > 1.5
    assert not engine.live._rows


@pytest.mark.parametrize(("policy", "seed"), [(policy, seed) for seed, policy in enumerate(POLICIES)])
def test_words_come_once_and_in_order_whatever_the_sound(
    engine: Whisper, speech: Callable[[str], np.ndarray], policy: str, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    names = [str(name) for name in draw.choice(["jfk", "beckett", "librispeech"], 2)]
    parts = [part for name in names for part in (speech(name), np.zeros(draw.integers(3 * RATE), np.float32))]
    samples = np.concatenate(parts) + 0.001 * draw.standard_normal(sum(map(len, parts))).astype(np.float32)
    stream, heard, tails = begin(engine, policy=policy), Heard(), []
    while heard.fed < len(samples):
        piece = samples[heard.fed : heard.fed + draw.integers(1, RATE)]
        heard.fed += len(piece)
        events = run(engine, stream, Feed(piece))
        heard.take(events)
        tails += [event.tail for event in events if isinstance(event, Hypothesis)]
    heard.take(last := run(engine, stream, End()))
    engine.end(stream)
    tails += [event.tail for event in last if isinstance(event, Hypothesis)]
    assert errors(heard.text, names) <= 0.08  # a word said twice, or not at all, is an error
    assert any(tails) and tails[-1] == ()
    times = [time for word in heard.words for time in (word.start, word.end)]
    assert times == sorted(times) and times[-1] <= len(samples) / RATE + 0.005


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", ["silence", "white", "hum", "hiss with a click"])
def test_a_minute_of_nothing_gives_no_words(engine: Whisper, kind: str, policy: str) -> None:
    draw = np.random.default_rng(5)
    sound = {
        "silence": np.zeros(60 * RATE),
        "white": 0.05 * draw.standard_normal(60 * RATE),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * np.arange(60 * RATE) / RATE),
        "hiss with a click": 0.01 * draw.standard_normal(60 * RATE),
    }[kind].astype(np.float32)
    if kind == "hiss with a click":
        sound[20 * RATE : 20 * RATE + 80] = 0.8
    assert listen(engine, sound, policy=policy).text.strip() == ""


def test_speech_after_a_long_silence_keeps_its_time(engine: Whisper, speech: Callable[[str], np.ndarray]) -> None:
    silence = np.zeros(20 * RATE, np.float32)
    heard = listen(engine, np.concatenate([speech("librispeech"), silence, speech("librispeech"), silence]))
    assert errors(heard.text, ["librispeech", "librispeech"]) <= 0.13  # Concorde, twice
    first, later = ([word.start for word in heard.words if (word.start > 15) is late] for late in (False, True))
    assert later == pytest.approx([start + len(speech("librispeech")) / RATE + 20 for start in first], abs=0.5)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_few_words_in_a_long_noise(engine: Whisper, speech: Callable[[str], np.ndarray], policy: str) -> None:
    """What is said there is said once, and nothing about the noise."""
    noise = np.random.default_rng(4).standard_normal(24 * RATE).astype(np.float32)
    words = speech("beckett")[round(0.2 * RATE) : round(1.15 * RATE)]
    sound = noise * np.float32(np.sqrt(np.mean(words**2)) * 10 ** (-22 / 20))
    for second in (1, 15):
        sound[second * RATE : second * RATE + len(words)] += words
    heard = listen(engine, sound, policy=policy)
    said = [word.text.strip(" .,!").lower() for word in heard.words]
    assert "tried" in said and len(said) <= 5
    assert all(0.5 <= word.start <= word.end <= 24 for word in heard.words)


@pytest.mark.parametrize("seconds", [1.95, 2.6])
def test_words_end_inside_the_audio(engine: Whisper, speech: Callable[[str], np.ndarray], seconds: float) -> None:
    heard = listen(engine, speech("jfk")[: round(seconds * RATE)])
    assert heard.words and heard.words[-1].end <= seconds
    assert all(any(letter.isalnum() for letter in word.text) for word in heard.words)


def test_a_prompt_longer_than_the_context_is_cut(engine: Whisper, speech: Callable[[str], np.ndarray]) -> None:
    prompt = " ".join(clip.words for clip in CLIPS.values()) + " We saw a camp of many white tents." * 50
    heard = listen(engine, speech("librispeech"), prompt=f"{prompt} It was late, and nobody said a word.")
    assert errors(heard.text, ["librispeech"]) <= 0.3


def test_closing_in_the_middle_frees(engine: Whisper, speech: Callable[[str], np.ndarray]) -> None:
    stream = begin(engine)
    under_way = steps(engine, stream, Feed(speech("jfk")[: 2 * RATE]))
    while not engine.live._rows:
        next(under_way)
    engine.end(stream)
    assert len(stream.buffer) == 0 and not engine.live._rows


def test_bad_input_is_refused(engine: Whisper) -> None:
    assert isinstance(engine, BatchedStreaming)
    with pytest.raises(Unsupported, match="it knows en"):
        engine.begin(Listen(language="de"))
    with pytest.raises(BadRequest, match="alignatt, localagreement"):
        engine.begin(Listen(policy="guess"))  # type: ignore[arg-type]
    with pytest.raises(Unsupported, match="cannot translate"):
        engine.begin(Listen(task="translate"))
    with pytest.raises(BadAudio, match="finite"):
        engine.feed(begin(engine), Feed(np.full(100, np.nan, np.float32)))


@pytest.mark.parametrize("name", ["librispeech", "beckett", "jfk"])
def test_a_sentence_is_said_once(shared: Callable[[str], Any], speech: Callable[[str], np.ndarray], name: str) -> None:
    """This model begins anew with what was committed, at the end of the audio."""
    base = shared("whisper-base")
    heard = listen(base, speech(name), language="en")
    assert len(heard.words) <= len(CLIPS[name].words.split()) + 1, heard.text
    assert errors(heard.text, [name]) <= 0.15


def test_a_name_is_heard_with_hotwords(engine: Whisper, shared: Callable[[str], Any]) -> None:
    """Among others too, which are not heard for it; and marks at the end of the sentence stay."""
    speaker = shared("kokoro-82m")
    spoken = engine_runs.sound(speaker.run(Speak(text="Doctor Kowalczyk has the results.")))
    samples = resample(spoken, 24_000, RATE)
    assert "kowalczyk" not in text_of(listen(engine, samples)).lower()
    assert text_of(listen(engine, samples, hotwords=("Kowalczyk",))) == "Dr. Kowalczyk has the results."
    among = ("Paris", "Xanthippe", "Zeppelin", "Kowalczyk", "Shelly", "Siobhan")
    assert text_of(listen(engine, samples, hotwords=among)) == "Dr. Kowalczyk has the results."


def test_hotwords_without_room_are_left_out(engine: Whisper) -> None:
    vocabulary = engine.vocabulary
    tokens = vocabulary.listed([" ", *(f"antidisestablishmentarianism{n}" for n in range(50))], PROMPT)
    assert 0 < len(tokens) <= PROMPT
    assert vocabulary.decode(tokens).startswith(" antidisestablishmentarianism0, antidis")
    assert vocabulary.listed([], PROMPT) == []


def text_of(heard: Heard) -> str:
    return "".join(word.text for word in heard.words).strip()
