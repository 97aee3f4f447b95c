"""How the text of a request is spoken: as a whole, or sentence by sentence while it is still being written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from speechmlx.engines import Steps
from speechmlx.reading import ssml
from speechmlx.reading.pauses import check_pauses
from speechmlx.reading.sentences import finished
from speechmlx.types import Event


class TextDelivery(Protocol):
    """The synthesis of one request."""

    def speak(self, text: str) -> Iterator[Event | None]:
        """Say the next part of the text."""

    def finish(self) -> Iterator[Event | None]:
        """What follows the whole text."""


def speak_all(delivery: TextDelivery, text: str) -> Steps:
    """Say the whole text of a request. Raises BadRequest for a pause that is too long, before any sound."""
    check_pauses(text)
    yield from delivery.speak(text)
    yield from delivery.finish()


class SentenceStream:
    """One `SpeakStream`: each sentence is spoken once it is complete."""

    def __init__(self, delivery: TextDelivery, reads_ssml: bool = False) -> None:
        """`reads_ssml`: a document in SSML is one whole, which `finish` says."""
        self._delivery = delivery
        self._reads_ssml = reads_ssml
        self._rest = ""

    def feed_text(self, text: str) -> Steps:
        self._rest += text
        if self._reads_ssml and ssml.is_ssml(self._rest):
            return
        sentences, self._rest = finished(self._rest)
        for sentence in sentences:
            yield from self._delivery.speak(sentence)

    def finish(self) -> Steps:
        yield from self._delivery.speak(self._rest)
        yield from self._delivery.finish()

    def close(self) -> None:
        del self._delivery
