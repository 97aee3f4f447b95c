"""What a model says that hears and speaks at once: each utterance is a response of the conversation."""

from __future__ import annotations

from speechmlx.conversation.clock import Clock
from speechmlx.conversation.event_queue import ANSWER_MARK, EventQueue
from speechmlx.conversation.items.conversation import Conversation
from speechmlx.conversation.response.answer import Answer
from speechmlx.conversation.response.response import ActiveResponse, ResponseStart
from speechmlx.conversation.response.speech_to_speech import clauses
from speechmlx.conversation.response.utterances import Utterances
from speechmlx.conversation.settings import Answering, ResponseRequest
from speechmlx.errors import SpeechError
from speechmlx.runtime.channel import Channel
from speechmlx.types import Chunk, TextDelta

Said = TextDelta | Chunk


class DuplexVoice:
    """The sound between two utterances, which is silence, is not given out."""

    def __init__(self, events: EventQueue, conversation: Conversation, clock: Clock) -> None:
        self._events, self._conversation, self._clock = events, conversation, clock
        self._utterances = Utterances()
        self._response: ActiveResponse | None = None
        self._said: Channel[Said] = Channel()
        """What was said of the utterance and is not given out. Ended: nothing more of it is."""
        self._heard = 0.0
        """Seconds that the model heard since the last response began."""

    @property
    def response(self) -> ActiveResponse | None:
        """The response under way."""
        return None if self._response is None or self._response.ended else self._response

    async def say(self, event: Said, answering: Answering) -> None:
        """The model said this. Waits while the client is behind. `answering`: of a response that begins with it."""
        place = self._utterances.place(event)
        if isinstance(event, Chunk):
            self._heard += event.duration
        if place == "begins":
            await self._begin(answering)
        if place != "quiet":
            await self._said.send(event)
        if place == "ends":
            self._said.end()

    def cancel(self, reason: str) -> None:
        """End the response under way: the rest of the utterance is not given out."""
        if self._response is not None:
            self._response.interrupt(reason, live=True)
        self._said.end()

    def end(self, error: SpeechError | None = None) -> bool:
        """The model says nothing more. Whether a response is under way, which ends, with the error if there is one."""
        self._said.end(error)
        self._utterances = Utterances()
        return self.response is not None

    async def finished(self) -> None:
        """Wait until the response under way is given out."""
        if self._response is not None:
            await self._response.finished()

    async def close(self) -> None:
        """End without an event."""
        self._said.end()
        if self._response is not None:
            await self._response.close()

    async def _begin(self, answering: Answering) -> None:
        await self.finished()
        said = self._said = Channel[Said](ANSWER_MARK)
        start = ResponseStart(ResponseRequest(answering=answering))
        response = self._response = ActiveResponse(start, self._events, self._conversation, self._clock)
        answer = Answer(clauses(said, answering.spoken), self._heard)
        self._heard = 0.0

        async def prepared() -> Answer:
            return answer

        async def run() -> None:
            await response.run(prepared())

        response.start(run())
