"""Recognition: the session for a request, and the session's events as Wyoming's, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wyoming.event import Event

from speechmlx.audio.live_format import AudioFormat
from speechmlx.config import Config
from speechmlx.conversation.commands import Append, Configure
from speechmlx.conversation.events import Committed, SpeechStarted, TranscriptDelta, TranscriptDone
from speechmlx.conversation.events import Event as SessionEvent
from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.errors import UnknownModel, Unsupported
from speechmlx.models.catalog import CATALOG
from speechmlx.models.spec import Model
from speechmlx.protocols.http.services import Services, build_services
from speechmlx.protocols.wyoming.recognition import RecognitionWire, model_for, settings_for
from speechmlx.protocols.wyoming.requests import RecognitionRequest, SampleFormat
from speechmlx.runtime.front.runtime import Runtime

BASE, ENGLISH = CATALOG.resolve("whisper-base"), CATALOG.resolve("whisper-tiny.en")


@pytest.fixture
def services(tmp_path: Path) -> Services:
    config = Config(cache=tmp_path, profile="starter", models={"asr": "whisper-tiny.en"})
    return build_services(config, Runtime(config, CATALOG))


def wire(request: RecognitionRequest = RecognitionRequest()) -> RecognitionWire:  # noqa: B008 - it is frozen
    return RecognitionWire(settings_for(request, BASE, SampleFormat()), SampleFormat())


def delta(text: str, item: str = "a", language: str | None = None) -> TranscriptDelta:
    return TranscriptDelta(item, TranscriptUpdate(text, language=language))


def done(text: str, item: str = "a", language: str | None = None) -> TranscriptDone:
    return TranscriptDone(item, Transcript(text, language=language), 1.0)


def told(events: Sequence[SessionEvent]) -> tuple[list[str], Event]:
    """The texts of the chunks and the transcript. The order of the events is checked."""
    made = wire()
    answers = [answer for event in events for answer in made.send(event)] + list(made.end())
    kinds = [answer.type for answer in answers]
    chunks = [answer.data["text"] for answer in answers if answer.type == "transcript-chunk"]
    assert kinds == ["transcript-start", *["transcript-chunk"] * len(chunks), "transcript-stop", "transcript"]
    return chunks, answers[-1]


def test_the_session_of_a_request() -> None:
    asked = RecognitionRequest(language="de-AT", keywords=("Stube", "Anna"))
    settings = settings_for(asked, BASE, SampleFormat(48000, 3, 2))
    assert settings.input == AudioFormat("int32", 48000, 2)
    assert settings.transcription is not None and not settings.answers
    heard = settings.transcription
    assert (heard.model, heard.language, heard.keywords) == ("whisper-base", "de", ("Stube", "Anna"))
    detected = settings_for(RecognitionRequest(language="auto"), BASE, SampleFormat()).transcription
    assert detected is not None and detected.language is None


@pytest.mark.parametrize(
    ("name", "row", "model"),
    [(None, BASE, None), ("base", BASE, "whisper-base"), (None, ENGLISH, "whisper-tiny.en")],
)
def test_live_words_have_a_model_of_their_own_where_the_client_names_none(
    name: str | None, row: Model, model: str | None
) -> None:
    heard = settings_for(RecognitionRequest(name, language="en"), row, SampleFormat(), default=BASE).transcription
    assert heard is not None and heard.whole
    assert (heard.model, heard.language) == (model, "en")


def test_the_model_of_a_request(services: Services) -> None:
    assert model_for(RecognitionRequest(), services, [BASE]) == ENGLISH
    assert model_for(RecognitionRequest(language="en-GB"), services, [BASE]) == ENGLISH
    assert model_for(RecognitionRequest(language="German"), services, [ENGLISH, BASE]) == BASE
    assert model_for(RecognitionRequest("base"), services, []) == BASE


def test_a_language_or_a_model_that_is_not_there(services: Services) -> None:
    with pytest.raises(Unsupported, match=r"language 'de' is not known to whisper-tiny\.en; it knows en"):
        model_for(RecognitionRequest(language="de"), services, [ENGLISH])
    with pytest.raises(Unsupported, match="language 'tlh' is not known"):
        model_for(RecognitionRequest(language="tlh"), services, [ENGLISH, BASE])
    with pytest.raises(Unsupported, match="language 'de'"):
        model_for(RecognitionRequest("whisper-tiny.en", "de"), services, [BASE])
    with pytest.raises(UnknownModel, match="there is no model 'ears'"):
        model_for(RecognitionRequest("ears"), services, [BASE])


def test_nothing_heard_is_an_empty_transcript() -> None:
    assert told([]) == ([], Event("transcript", {"text": ""}))
    assert told([SpeechStarted("a", 0.0), Committed("a", None), done("")]) == ([], Event("transcript", {"text": ""}))


def test_the_language_is_the_one_asked_for_or_heard() -> None:
    asked = wire(RecognitionRequest(language="de"))
    assert asked.end()[-1].data == {"text": "", "language": "de"}
    _, heard = told([delta("salut", language="fr"), done("salut", language="fr")])
    assert heard.data == {"text": "salut", "language": "fr"}


@pytest.mark.parametrize(
    ("events", "chunks", "text"),
    [
        ([delta("one"), delta(" two"), done("one two")], ["one", " two"], "one two"),
        ([delta(" one "), delta("two "), done("one two")], ["one", " two"], "one two"),
        ([delta("one"), done("one two")], ["one", " two"], "one two"),
        ([delta(""), done("one")], ["one"], "one"),
        ([delta("one"), done("won")], ["one"], "won"),
        ([delta("one"), done("one"), delta("two", "b"), done("two", "b")], ["one", " two"], "one two"),
        ([done("one"), done("", "b"), done("two", "c")], ["one", " two"], "one two"),
        # The next turn begins before the last words of the one before are known.
        ([delta("one"), delta("three", "b"), done("three", "b"), delta(" two"), done("one two")],
         ["one", " two", " three"], "one two three"),
        ([SpeechStarted("a", 0.0), SpeechStarted("b", 1.0), done("two", "b"), done("one")], ["one", " two"], "one two"),
    ],
)  # fmt: skip
def test_words_are_told_as_they_come_and_in_their_order(
    events: list[SessionEvent], chunks: list[str], text: str
) -> None:
    heard, transcript = told(events)
    assert (heard, transcript.data["text"]) == (chunks, text)


WORDS = st.lists(st.sampled_from(["one", "two,", "drei"]), max_size=5)


@given(st.lists(WORDS, max_size=4), st.data())
def test_the_chunks_join_to_the_transcript(turns: list[list[str]], data: st.DataObject) -> None:
    queues: list[list[SessionEvent]] = []
    for index, spoken in enumerate(turns):
        item = str(index)
        queues.append(
            [*(delta(f" {word}" if n else word, item) for n, word in enumerate(spoken)), done(" ".join(spoken), item)]
        )
    events: list[SessionEvent] = [SpeechStarted(str(index), float(index)) for index in range(len(turns))]
    while any(queues):
        queue = data.draw(st.sampled_from([queue for queue in queues if queue]))
        events.append(queue.pop(0))
    chunks, transcript = told(events)
    assert "".join(chunks) == transcript.data["text"] == " ".join(" ".join(spoken) for spoken in turns if spoken)


def test_audio_of_another_format_configures_the_session() -> None:
    made, other = wire(), SampleFormat(8000, 1)
    assert made.receive(SampleFormat(), b"ab") == [Append(audio=b"ab")]
    configure, append = made.receive(other, b"\x80\xff")
    assert isinstance(configure, Configure) and configure.settings.input == AudioFormat("pcm16", 8000)
    assert append == Append(audio=b"\x00\x00\x00\x7f")
    assert made.receive(other, b"") == []
