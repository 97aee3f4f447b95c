"""Kokoro: what it says is heard back, pieces and neighbours do not change it, and bad requests are refused."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jiwer
import mlx.core as mx
import numpy as np
import pytest
from support.engine_runs import pcm
from whisper_normalizer.english import EnglishTextNormalizer

from speechmlx.audio.pcm import from_pcm16
from speechmlx.engines import LoadOptions, Running
from speechmlx.engines.kokoro.voices import parse_blend
from speechmlx.engines.parts.sentence_stream import SentenceStream
from speechmlx.errors import BadRequest, SpeechError, UnknownVoice, Unsupported
from speechmlx.reading.pronunciation.runs import Runs
from speechmlx.reading.sentences import sentences
from speechmlx.types import (
    Audio,
    Chunk,
    DetectSpeech,
    Event,
    NamedVoice,
    Pronunciation,
    ReferenceVoice,
    Segment,
    Speak,
    SpeakStream,
    Usage,
    WordTimes,
)

if TYPE_CHECKING:
    from speechmlx.engines.kokoro.engine import Kokoro

RATE = 24000
RECORDED = ReferenceVoice(Audio(np.zeros(RATE, np.float32), RATE), "Hello.", "1")
FIRST, SECOND = "The quick brown fox jumps over the lazy dog.", "She sells sea shells."
THREE = "One two three."
HEARD = {
    FIRST: FIRST,
    "Dr. Smith paid $3.50 for 12 apples on March 3rd, 1998.": (
        "Doctor Smith paid three dollars and fifty cents for twelve apples on March third, nineteen ninety eight."
    ),
    "Please call 555-1234 before noon.": "Please call five five five, one two three four before noon.",
    "World War II ended in 1945, and I read about it yesterday.": (
        "World War two ended in nineteen forty five, and I read about it yesterday."
    ),
    "The committee will present the present to the winner tomorrow morning.": None,
}


@pytest.fixture(scope="module")
def engine(kokoro_engine: Kokoro) -> Kokoro:
    return kokoro_engine


@pytest.fixture(scope="module")
def hear(heard: Callable[..., list[Segment]]) -> Callable[[bytes], str]:
    return lambda pcm16: "".join(segment.text for segment in heard(pcm16))


Said = Callable[..., bytes]


@pytest.fixture(scope="module")
def said(engine: Kokoro) -> Said:
    """said(text, voice, **fields) → the sound of a text by itself, synthesised once for all tests."""

    @functools.cache
    def run(text: str, voice: str | None = None, **fields: Any) -> bytes:
        return pcm(engine.run(Speak(text=text, voice=NamedVoice(voice) if voice else None, **fields)))

    return run


def test_it_is_heard_back(said: Said, hear: Callable[[bytes], str]) -> None:
    normal = EnglishTextNormalizer()

    def plain(text: str) -> str:
        """Without what Whisper may write either way: March 3 or 3rd, 555-1234 or 5551234, two or II."""
        text = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", normal(text)).replace(" ii ", " 2 ")
        return re.sub(r"(?<=\d)[- ]+(?=\d)", "", text)

    expected = plain(" ".join(words or text for text, words in HEARD.items()))
    heard = plain(hear(b"".join(map(said, HEARD))))
    assert jiwer.wer(expected, heard) < 0.06, (expected, heard)


def test_each_sentence_is_a_piece_however_short(engine: Kokoro, hear: Callable[[bytes], str]) -> None:
    text = "Hello there. How are you?"
    chunks = [event for event in engine.run(Speak(text=text)) if isinstance(event, Chunk)]
    assert [chunk.pcm16 for chunk in chunks] == [pcm(engine.run(Speak(text=one))) for one in sentences(text)]
    loud = np.flatnonzero(np.abs(from_pcm16(chunks[0].pcm16)) > 0.01)
    assert 0.3 < chunks[0].duration - loud[-1] / RATE < 0.7  # as much silence as after a long one
    assert hear(pcm(chunks)).split() == text.split()


def test_it_is_loud_enough_and_never_clips(said: Said) -> None:
    samples = from_pcm16(said(FIRST))
    assert 0.1 < np.abs(samples).max() < 1
    assert 2 * RATE < len(samples) < 5 * RATE


def test_sentences_come_one_by_one_and_sound_as_they_do_alone(engine: Kokoro, said: Said) -> None:
    events = list(engine.run(Speak(text=f"{SECOND} {THREE}")))
    chunks = [event for event in events if isinstance(event, Chunk)]
    assert [chunk.pcm16 for chunk in chunks] == [said(text) for text in (SECOND, THREE)]
    assert {chunk.rate for chunk in chunks} == {RATE}
    usage = events[-1]
    assert isinstance(usage, Usage)
    assert usage.audio_out == pytest.approx(sum(chunk.duration for chunk in chunks))
    assert usage.tokens_in > 25


@pytest.mark.parametrize("size", [1, 1000])
def test_text_that_is_fed_sounds_as_its_sentences_do(engine: Kokoro, said: Said, size: int) -> None:
    texts = ("Dr. Lee paid 3.50, and left.", "Was it late?", "... !?", "Yes")
    stream, events = engine.open(SpeakStream(voice=NamedVoice("am_adam"), speed=2)), list[Event | None]()
    text = " ".join(texts)
    for start in range(0, len(text), size):
        events += stream.feed_text(text[start : start + size])
    early = [event for event in events if isinstance(event, Chunk)]
    events += stream.finish()
    stream.close()
    spoken = [said(one, "am_adam", speed=2) for one in texts if one != "... !?"]
    assert [event.pcm16 for event in events if isinstance(event, Chunk)] == spoken
    assert len(early) == len(spoken) - 1
    usage = events[-1]
    assert isinstance(usage, Usage)
    assert usage.audio_out == pytest.approx(sum(event.duration for event in events if isinstance(event, Chunk)))


@pytest.mark.parametrize("text", ["...", ".", "—", "👍", "。", "… !? 🙂\n"])
def test_a_text_without_a_word_is_a_short_silence(engine: Kokoro, text: str) -> None:
    stream = engine.open(SpeakStream())
    fed = [*stream.feed_text(text), *stream.finish()]
    for events in (list(engine.run(Speak(text=text))), fed):
        chunk, usage = [event for event in events if event is not None]
        assert isinstance(chunk, Chunk) and isinstance(usage, Usage)
        assert chunk == Chunk(bytes(2 * RATE // 5), RATE)
        assert (usage.audio_out, usage.tokens_in) == (0.2, 0)


def test_words_that_a_voice_does_not_know_are_no_silence(engine: Kokoro) -> None:
    runs = Runs(lambda text: "", blanks=True)
    stream = SentenceStream(replace(engine.delivery(SpeakStream()), pronounce=runs.steps))
    assert not pcm(stream.feed_text("… ! Wörter. Noch mehr. …"))
    with pytest.raises(BadRequest, match=r"said: 'Wörter\.'; choose a voice of its language"):
        list(stream.finish())


@pytest.mark.parametrize(
    ("request_", "text", "error", "words"),
    [
        (SpeakStream(), " \n", BadRequest, "nothing in the text can be said: ''"),
        (SpeakStream(speed=5), "Hi.", BadRequest, "0.25 to 4"),
        (SpeakStream(voice=NamedVoice("nobody")), "Hi.", UnknownVoice, "no voice 'nobody'"),
        (SpeakStream(voice=RECORDED), "Hi.", Unsupported, "imitate"),
        (Speak(text="Hi."), "Hi.", Unsupported, "SpeakStream requests, not Speak"),
    ],
)
def test_streams_refuse_what_cannot_be_spoken(
    engine: Kokoro, request_: Any, text: str, error: type[SpeechError], words: str
) -> None:
    def spoken() -> None:
        stream = engine.open(request_)
        list(stream.feed_text(text))
        list(stream.finish())

    with pytest.raises(error, match=words):
        spoken()


def test_interleaved_equals_alone(engine: Kokoro, said: Said) -> None:
    requests = [Speak(text=SECOND), Speak(text=THREE, voice=NamedVoice("am_adam"), speed=1.2)]
    alone = [said(SECOND), said(THREE, "am_adam", speed=1.2)]
    runs, together = [engine.run(request) for request in requests], [b"", b""]
    waiting = {0, 1}
    while waiting:
        for i in tuple(waiting):
            event = next(runs[i], "done")
            if event == "done":
                waiting.remove(i)
            elif isinstance(event, Chunk):
                together[i] += event.pcm16
    assert together == alone


def test_steps_are_many_and_one_can_leave_between_them(engine: Kokoro, said: Said) -> None:
    before = said(THREE)
    run = engine.run(Speak(text=f"{FIRST} {SECOND}"))
    for _ in range(12):
        assert next(run) is None
    run.close()  # type: ignore[attr-defined]
    mx.clear_cache()
    held = mx.get_active_memory()
    assert pcm(engine.run(Speak(text=THREE))) == before
    mx.clear_cache()
    assert mx.get_active_memory() == pytest.approx(held, abs=2**20)


def test_the_longest_sentence_is_spoken_in_pieces(engine: Kokoro) -> None:
    chunks = [e for e in engine.run(Speak(text="and then we went on " * 14, speed=4)) if isinstance(e, Chunk)]
    assert len(chunks) > 1
    assert sum(chunk.duration for chunk in chunks) > 3


def test_speed_changes_the_duration(said: Said) -> None:
    slow, normal, fast = len(said(SECOND, speed=0.5)), len(said(SECOND)), len(said(SECOND, speed=2))
    assert slow / normal == pytest.approx(2, rel=0.15)
    assert fast / normal == pytest.approx(0.5, rel=0.15)


def test_voices_differ_and_blend(engine: Kokoro) -> None:
    assert len(engine.voices.names) == 54
    voices = ("af_heart", "af_sky", "af_heart+af_sky", "af_heart*3+af_sky", "bf_emma")
    said = {voice: pcm(engine.run(Speak(text="Hi.", voice=NamedVoice(voice)))) for voice in voices}
    assert len(set(said.values())) == len(voices)
    assert all(said.values())
    even = engine.voices.blend("af_heart+af_sky")
    assert mx.allclose(even, (engine.voices.blend("af_heart") + engine.voices.blend("af_sky")) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("voice", "found"),
    [
        ("af_heart", [("af_heart", 1.0)]),
        (" AF_Heart ", [("af_heart", 1.0)]),
        ("AF-Heart + af sky", [("af_heart", 0.5), ("af_sky", 0.5)]),
        ("af_heart*3+af_sky", [("af_heart", 0.75), ("af_sky", 0.25)]),
        ("af_heart(3)+af_sky(1)", [("af_heart", 0.75), ("af_sky", 0.25)]),
        ("af_heart (0.3) + AF_SKY * 0.1", [("af_heart", 0.75), ("af_sky", 0.25)]),
        ("af_heart*1e-300+af_sky*3e-300", [("af_heart", 0.25), ("af_sky", 0.75)]),
    ],
)
def test_a_blend_is_read(voice: str, found: list[tuple[str, float]]) -> None:
    assert [name for name, _ in parse_blend(voice)] == [name for name, _ in found]
    assert [weight for _, weight in parse_blend(voice)] == pytest.approx([weight for _, weight in found])


def hi(voice: str) -> Speak:
    return Speak(text="Hi.", voice=NamedVoice(voice))


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (
            hi("af_haert"),
            UnknownVoice,
            r"no voice 'af_haert'; the voices are af_heart, ",
        ),
        (
            hi("af_haert"),
            UnknownVoice,
            r"and 48 more \(GET /v1/audio/voices lists all\)$",
        ),
        (
            hi("af_heart*-1"),
            BadRequest,
            r"'-1' .* positive number; .* like af_heart\*0.7",
        ),
        (hi("af_heart(much)"), BadRequest, "'much' .* positive number"),
        (hi("af_heart*1e308+af_sky*1e308"), BadRequest, "too large to be added"),
        (hi("af_heart*inf"), BadRequest, "positive number"),
        (hi("af_heart*nan+af_sky"), BadRequest, "positive number"),
        (hi("+".join(["af_heart"] * 101)), BadRequest, "at most 100 voices, not 101"),
        (hi("af_heart+"), UnknownVoice, r"is no voice; a blend is written like"),
        (hi("af_heart(2"), UnknownVoice, r"is no voice; a blend is written like"),
        (Speak(text="Hi.", speed=5), BadRequest, "0.25 to 4"),
        (Speak(text="Hi.", speed=float("nan")), BadRequest, "0.25 to 4"),
        (Speak(text="  "), BadRequest, "nothing"),
        (Speak(text="Hi.", language="tlh"), Unsupported, "en-gb"),
        (Speak(text="Hi.", options={"pitch": 2}), Unsupported, "pitch"),
        (Speak(text="Hi.", voice=RECORDED), Unsupported, "Kokoro cannot imitate the voice of a recording"),
        (DetectSpeech(), Unsupported, "DetectSpeech"),
    ],
)
def test_bad_requests_are_named(engine: Kokoro, request_: Any, error: type[SpeechError], words: str) -> None:
    with pytest.raises(error, match=words):
        list(engine.run(request_))


def test_it_keeps_the_contract(engine: Kokoro, options: LoadOptions) -> None:
    assert isinstance(engine, Running)
    assert engine.nbytes > (300e6 if options.dtype == "float32" else 150e6)


def test_ssml_has_its_breaks_and_rates(engine: Kokoro, said: Said) -> None:
    ssml = f'<speak>{THREE}<break time="1500ms"/></speak>'
    stream = engine.open(SpeakStream())
    fed = [event for part in (ssml[:9], ssml[9:25], ssml[25:]) for event in stream.feed_text(part)]
    assert not any(fed)
    assert pcm(stream.finish()) == said(ssml) == said(THREE) + bytes(2 * RATE * 3 // 2)
    assert said(f'<speak><prosody rate="200%">{THREE}</prosody></speak>') == said(THREE, speed=2.0)


def test_pauses_have_their_length_and_words_their_times(engine: Kokoro) -> None:
    text = f"[pause:500ms]{THREE}[pause:1.5s]"
    stream = engine.open(SpeakStream())
    fed = [event for at in range(0, len(text), 4) for event in stream.feed_text(text[at : at + 4])]
    whole, plain = [*fed, *stream.finish()], list(engine.run(Speak(text=THREE)))
    assert pcm(whole) == pcm(engine.run(Speak(text=text))) == bytes(RATE) + pcm(plain) + bytes(3 * RATE)
    words, before = (
        [word for event in events if isinstance(event, WordTimes) for word in event.words] for events in (whole, plain)
    )
    assert [word.text for word in words] == [word.text for word in before] == ["One", "two", "three."]
    assert [word.start - 0.5 for word in words] == pytest.approx([word.start for word in before])
    assert [text[word.first : word.last] for word in words] == ["One", "two", "three."]
    with pytest.raises(BadRequest, match="a pause has 10 s at most"):
        list(engine.run(Speak(text=f"{THREE} [pause:11s]")))


def test_a_lexicon_says_a_name_as_it_sounds(said: Said) -> None:
    entries = (Pronunciation("Nguyen", "win"), Pronunciation("Aoife", phonemes="ˈifə"))
    assert said("Nguyen.", pronunciations=entries) == said("Win.")
    assert said("Aoife.", pronunciations=entries) == said("[Aoife](/ˈifə/).")


def test_marks_of_markdown_are_not_said(said: Said) -> None:
    assert said("# Tea\n\n**Hot** [tea](http://tea.example).") == said("Tea.\n\nHot tea.")
