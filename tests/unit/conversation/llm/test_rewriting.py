"""Corrections and translations by a language model: the request, the limits, and answers that wander."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import pytest
from support.fake_engines import FakeEngines, row

from speechmlx.conversation.llm.rewriting import LONGEST, PIECE, Rewriter, is_correction, rewriter, unquoted
from speechmlx.errors import EngineFailed, ModelUnavailable, SpeechError, TooLarge
from speechmlx.types import Event, Generate, Kind, TextDelta, Usage


class Writer:
    """A language model that answers with `reply` of the text."""

    def __init__(self, reply: Callable[[str], str], cut_off: bool = False, delay: float = 0.0) -> None:
        self.requests: list[Generate] = []
        self._reply = reply
        self._usage = Usage(tokens_out=3, cut_off=cut_off)
        self._delay = delay

    def __call__(self, request: Generate, /) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        self.requests.append(request)
        return aclosing(self._events(request.messages[-1].content))

    async def _events(self, text: str) -> AsyncGenerator[Event, None]:
        await asyncio.sleep(self._delay)
        for letter in self._reply(text):
            yield TextDelta(letter)
        yield self._usage


async def test_a_transcript_is_corrected() -> None:
    writer = Writer(lambda text: f'"{text.capitalize()}."\n')
    assert await Rewriter(writer, "m").correct("hello their how are you", "en") == "Hello their how are you."
    (request,) = writer.requests
    assert request.model == "m" and request.temperature == 0.0 and len("hello") < request.max_tokens < 200
    system, user = request.messages
    assert "correct the transcripts" in system.content and "in English" in system.content
    assert user.content == "hello their how are you"


async def test_a_long_text_is_rewritten_in_pieces() -> None:
    writer = Writer(str.upper)
    text = " ".join(["This is sentence number one."] * 200)
    assert await Rewriter(writer).correct(text, None) == text.upper()
    assert len(writer.requests) > 2 and all(len(one.messages[-1].content) <= PIECE for one in writer.requests)
    with pytest.raises(TooLarge, match=f"over the limit of {LONGEST}"):
        await Rewriter(writer).correct("a" * (LONGEST + 1), None)


@pytest.mark.parametrize(
    "reply",
    [
        lambda text: "",
        lambda text: "I am sorry, I cannot help with that.",
        lambda text: text + " And there is much more to say about this, as everybody knows by now.",
        lambda text: "Hi.",
    ],
)
async def test_an_answer_that_wanders_is_refused(reply: Callable[[str], str]) -> None:
    with pytest.raises(EngineFailed, match="the model's answer is not a correction"):
        await Rewriter(Writer(reply)).correct("what time is it in the capital of france today", "en")


@pytest.mark.parametrize(
    ("text", "answer", "fits"),
    [
        ("hello their", "Hello, there!", True),
        ("yes", "No.", False),
        ("i red the book yesterday evening at home", "I read the book yesterday evening at home.", True),
        ("i red the book yesterday evening at home", "Books were read by me in the evening, at my house.", False),
        ("今日は天気がいいですね", "今日は、天気がいいですね。", True),
        ("今日は天気がいいですね", "こんにちは、お元気ですか？何を話しましょう。", False),
        ("здравейте как сте", "Здравейте, как сте?", True),
        ("a", "", False),
    ],
)
def test_what_is_a_correction(text: str, answer: str, fits: bool) -> None:
    assert is_correction(text, answer) is fits


@pytest.mark.parametrize(
    ("answer", "text", "kept"),
    [
        ('"Hello."', "hello", "Hello."),
        ("«Hello.»", "hello", "Hello."),
        ('"Hello", he said. "Bye"', '"hello" he said "bye"', '"Hello", he said. "Bye"'),
        ("  Hello\n there ", "hello there", "Hello there"),
        ('"', "x", '"'),
    ],
)
def test_quotes_and_lines_of_the_model_are_left_out(answer: str, text: str, kept: str) -> None:
    assert unquoted(answer, text) == kept


async def test_a_text_is_translated() -> None:
    writer = Writer(lambda text: "Bonjour tout le monde.")
    assert await Rewriter(writer).translate("Hello everybody.", "fr", "en") == "Bonjour tout le monde."
    assert "in English" in writer.requests[0].messages[0].content
    assert "into French" in writer.requests[0].messages[0].content
    for reply in ("", "Bonjour " * 40):
        with pytest.raises(EngineFailed, match="the model's answer is not a translation"):
            await Rewriter(Writer(lambda text, reply=reply: reply)).translate("Hello everybody.", "fr")  # type: ignore[misc]


@pytest.mark.parametrize(
    ("writer", "words"),
    [
        (Writer(str, delay=5), "no answer within 0.05 s"),
        (Writer(str, cut_off=True), "did not come to an end"),
    ],
)
async def test_a_model_that_does_not_end(writer: Writer, words: str) -> None:
    with pytest.raises(EngineFailed, match=words):
        await Rewriter(writer, timeout=0.05).correct("hello", "en")


async def test_errors_of_the_model_pass() -> None:
    def broken(text: str) -> str:
        raise ModelUnavailable("nobody there")

    with pytest.raises(SpeechError, match="nobody there"):
        await Rewriter(Writer(broken)).correct("hello", "en")


async def test_which_model_writes() -> None:
    """The remote one, else the local one, else none."""
    local: Any = FakeEngines(lambda request: [TextDelta("Hello."), Usage()], [row(Kind.LLM)])
    writer = Writer(lambda text: "Hello!")
    for model, said in ((rewriter(local, writer), "Hello!"), (rewriter(local, None), "Hello.")):
        assert model is not None and await model.correct("hello", None) == said
    nobody: Any = FakeEngines(lambda request: [], [row(Kind.ASR)])
    assert rewriter(nobody, None) is None
