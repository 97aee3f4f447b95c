"""DuplexSession: a conversation with a model that hears and speaks at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from speechmlx.conversation import commands
from speechmlx.conversation.conversation_session import ConversationSession
from speechmlx.conversation.engines import Engines
from speechmlx.conversation.errors import AnswersByItself, ModelIsChosen, NoActiveResponse, NotTaken
from speechmlx.conversation.events import Failed, ItemTruncated
from speechmlx.conversation.input.duplex_ears import DuplexEars, DuplexListener
from speechmlx.conversation.response.duplex_voice import DuplexVoice
from speechmlx.conversation.settings import Settings
from speechmlx.conversation.warmup import Need
from speechmlx.errors import SpeechError
from speechmlx.models.spec import Model
from speechmlx.types import Chunk, Converse, TextDelta


class DuplexSession(ConversationSession):
    """The model `model` hears all audio at once, answers when it likes, and is interrupted by what it hears.

    What a person says is recognised beside that where the settings ask for transcripts, and only then are there turns.
    A change of the voice or the instructions begins the model's conversation anew.
    """

    def __init__(
        self, engines: Engines, settings: Settings, model: Model, wall: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(engines, _hearing(settings), wall=wall)
        self._model, self._named = model, settings.model
        listener = DuplexListener(self._said, self._ended, self._tell)
        self._ears = DuplexEars(engines, wall, listener)
        self._voice = DuplexVoice(self._queue, self._conversation, self._clock)
        self._asked: Converse | None = None
        """What the last job was asked."""
        self._spoke = False
        """Whether the last job said anything, silence included."""
        self._failed = False
        """Whether the last job failed before: only settings that the client sends begin another one."""

    async def _execute(self, command: commands.Command) -> None:
        match command:
            case commands.Append():
                await self._hear(command)
            case commands.Configure():
                await self._configure(command)
            case commands.CreateResponse() | commands.AddItem():
                raise AnswersByItself()
            case commands.Commit() if self.settings.transcription is None:
                raise AnswersByItself()
            case commands.Cancel():
                response = self._voice.response
                if response is None or command.response not in (None, response.id):
                    raise NoActiveResponse()
                self._voice.cancel("client_cancelled")
            case _:
                await super()._execute(command)

    async def _hear(self, command: commands.Append) -> None:
        if not self._ears.listens and not self._failed:
            self._begin(self._request(self.settings))
        await self._ears.hear(command.audio, self.settings.input)
        if self.settings.transcription is not None:
            await super()._execute(command)

    async def _configure(self, command: commands.Configure) -> None:
        settings = _hearing(command.settings)
        if settings.model != self._named:
            raise ModelIsChosen(self._model.name)
        request = self._request(settings)
        await super()._execute(replace(command, settings=settings))
        if without := _not_taken(settings):
            self._emit(Failed(error := NotTaken(without), error.code, ref=command.ref))
        if request != self._asked or not self._ears.listens:
            await self._ears.stop()
            self._voice.cancel("client_cancelled")
            self._voice.end()
            self._begin(request)

    def _request(self, settings: Settings) -> Converse:
        """What the model is asked. Raises UnknownVoice."""
        answering = settings.answering
        return Converse(
            model=self._model.name,
            voice=self._model.voices.resolve(answering.voice.name),
            language=answering.voice.language,
            instructions=answering.instructions or None,
        )

    def _begin(self, request: Converse) -> None:
        """Begin a job. Raises what the engines do."""
        self._asked, self._spoke, self._failed = request, False, True
        self._ears.begin(request)
        self._failed = False

    def _truncate(self, command: commands.TruncateItem) -> None:
        response = self._voice.response
        at = None if response is None else response.truncate(command.id, command.seconds)
        if at is None:
            super()._truncate(command)
        else:
            self._emit(ItemTruncated(command.id, at))

    # --- what the model does ---

    async def _said(self, event: TextDelta | Chunk) -> None:
        self._spoke = True
        await self._voice.say(event, self.settings.answering)
        self._bound_record()

    def _ended(self, error: SpeechError | None) -> None:
        self._failed = error is not None and not self._spoke
        if not self._voice.end(error) and error is not None:
            self._tell(error)

    def _tell(self, error: SpeechError) -> None:
        self._emit(Failed(error, error.code))

    # --- the session ---

    def _needs(self) -> tuple[Need, ...]:
        heard = super()._needs() if self.settings.transcription is not None else ()
        return (lambda: self._model, *heard)

    async def _finish_answers(self) -> None:
        await self._ears.finish()
        await self._voice.finished()

    async def _close(self) -> None:
        await self._ears.stop()
        await self._voice.close()


def _hearing(settings: Settings) -> Settings:
    """The settings of what recognises a person's words beside the model: it answers nothing."""
    return replace(settings, transcribes_only=True)


def _not_taken(settings: Settings) -> list[str]:
    """What is set that such a model does not take."""
    answering = settings.answering
    options = {
        "tools": answering.tools,
        "a speed": answering.voice.speed != 1.0,
        "pronunciations": answering.voice.pronunciations,
        "a limit of tokens": answering.max_tokens is not None,
        "a temperature": answering.temperature is not None,
        "noise reduction": settings.clean,
    }
    return [name for name, is_set in options.items() if is_set]
