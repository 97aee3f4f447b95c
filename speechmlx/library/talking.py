"""AsyncTalk: a spoken conversation. The microphone's audio goes in, events come out, the answer's audio among them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from speechmlx.conversation.commands import AddItem, Cancel, CreateResponse
from speechmlx.conversation.conversation_session import ConversationSession
from speechmlx.conversation.events import Configured, Event
from speechmlx.conversation.items.item import Item, Part, new_id
from speechmlx.conversation.settings import PCM16_24K, ResponseRequest
from speechmlx.errors import BadRequest
from speechmlx.library.live import AsyncLive, Opener

MAX_UNREAD = 16 * 1024 * 1024
"""Bytes that may be fed while nobody reads the events."""


class AsyncTalk(AsyncLive[ConversationSession, Event]):
    """Feed the microphone's audio, and iterate over the events of `speechmlx.conversation.events`:

    SpeechStarted (stop playing: the person interrupts), SpeechStopped, TranscriptDone, ResponseStarted, OutputText,
    OutputAudio (`audio` is PCM16 at `rate` Hz: play it), ResponseDone (its status is "cancelled" where the person
    interrupted the answer), Failed and others. Turns are detected, answered and interrupted by the session.
    """

    rate = PCM16_24K.rate
    """Hz of the answers' audio."""

    def __init__(self, open_session: Opener[ConversationSession], on_close: Callable[[Any], None]) -> None:
        super().__init__(open_session, on_close)
        self._events: AsyncIterator[Event] | None = None
        self._unread = 0
        """Bytes that were fed since an event was read."""

    @property
    def history(self) -> tuple[Item, ...]:
        """The conversation so far, oldest first: what was said, and of an interrupted answer what was heard."""
        return self._running().items

    async def say(self, text: str) -> None:
        """Say something in writing, and have it answered. Raises BadRequest for no text."""
        if not isinstance(text, str) or not text.strip():
            raise BadRequest("there is no text to say")
        await self._send(AddItem(item=Item(id=new_id("item"), parts=(Part("text", text),))))
        answering = self._running().settings.answering
        await self._send(CreateResponse(plan=ResponseRequest(answering=answering)))

    async def interrupt(self) -> None:
        """Stop the answer under way. Failed follows where there is none."""
        await self._send(Cancel())

    async def __anext__(self) -> Event:
        if self._session is None:
            self._running()
        assert self._events is not None
        while isinstance(event := await anext(self._events), Configured):
            pass
        self._unread = 0
        return event

    def _begin(self, session: ConversationSession) -> None:
        self._events = session.events()

    def _check_unread(self, size: int) -> None:
        if self._unread > MAX_UNREAD and self._running().unread:
            raise BadRequest("nobody reads the events: iterate over the conversation while it is fed")
        self._unread += size
