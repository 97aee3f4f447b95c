"""Who answers: one responder per session, chosen by the models that there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.engines import Engines, has_default
from speechmlx.conversation.input.transcript import Transcript
from speechmlx.conversation.items.item import Item
from speechmlx.conversation.llm.language_model import LanguageModel
from speechmlx.conversation.response.answer import Answer, ResponseInput
from speechmlx.conversation.response.cascade import Cascade
from speechmlx.conversation.response.speech_to_speech import SpeechToSpeech
from speechmlx.types import Kind


class Responder(Protocol):
    """Makes answers. `respond` raises SpeechErrors, and so do the pieces."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of models that it needs in memory."""

    def needs_transcripts(self, items: tuple[Item, ...]) -> bool:
        """Whether the words of the recordings in `items` must be known before it answers them."""

    def respond(self, input: ResponseInput) -> Answer: ...

    def read_ahead(self, input: ResponseInput) -> None:
        """A person begins to speak after the items of `input`: prepare for the answer."""

    def draft(self, transcript: Awaitable[Transcript], input: Callable[[], ResponseInput | None]) -> None:
        """The turn may be over, with the words of `transcript`: begin the answer that it gets if it is.

        `input` gives what comes before the turn by then, or None where the turn gets no answer.
        """

    def drop_draft(self) -> None:
        """The turn goes on, or gets no answer."""

    async def close(self) -> None:
        """Stop what was begun and not taken."""


def choose_responder(engines: Engines, remote: LanguageModel | None, clock: Clock) -> Responder:
    """The speech-to-speech model where there is one, else the cascade.

    `remote`: the language model of another server; None: the one in this server.
    """
    cascade = Cascade(engines, remote or engines.submit, remote is not None, clock)
    return SpeechToSpeech(engines, cascade) if has_default(engines, Kind.S2S) else cascade
