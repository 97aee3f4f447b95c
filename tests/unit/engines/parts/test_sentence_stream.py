"""How a text is spoken while it is being written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speechmlx.engines.parts.sentence_stream import SentenceStream, speak_all
from speechmlx.errors import BadRequest
from speechmlx.types import Event

TEXT = "Dr. Lee paid 3.50, and left. Was it late? ... !? Yes"


class WrittenDown:
    """Writes down what is to be said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def speak(self, text: str) -> Iterator[Event | None]:
        self.said.append(text)
        yield None

    def finish(self) -> Iterator[Event | None]:
        self.said.append("the end")
        yield None


def fed(text: str, size: int, reads_ssml: bool) -> tuple[list[str], list[str]]:
    """What is said of a text in pieces of `size` characters before it ends, and all of it."""
    delivery = WrittenDown()
    stream = SentenceStream(delivery, reads_ssml)
    for at in range(0, len(text), size):
        list(stream.feed_text(text[at : at + size]))
    early = [*delivery.said]
    list(stream.finish())
    stream.close()
    return early, delivery.said


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_each_sentence_is_said_once_it_is_whole(size: int) -> None:
    early, said = fed(TEXT, size, False)
    assert said == [*early, "Yes", "the end"]
    assert "".join(said[:-1]) == TEXT and early[:2] == ["Dr. Lee paid 3.50, and left. ", "Was it late? "]


@pytest.mark.parametrize("reads_ssml", [True, False])
def test_ssml_is_one_whole_for_who_reads_it(reads_ssml: bool) -> None:
    text = "<speak>One. Two. </speak>"
    early, said = fed(text, 3, reads_ssml)
    assert "".join(said[:-1]) == text and bool(early) != reads_ssml


def test_a_pause_that_is_too_long_is_refused_before_anything_is_said() -> None:
    delivery = WrittenDown()
    assert len(list(speak_all(delivery, "One. Two."))) == 2 and delivery.said == ["One. Two.", "the end"]
    with pytest.raises(BadRequest, match="10 s at most"):
        list(speak_all(delivery, "Three. [pause:11s]"))
    assert delivery.said == ["One. Two.", "the end"]
