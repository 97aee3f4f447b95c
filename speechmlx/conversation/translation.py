"""Translations of a session's turns, beside their transcripts and in their order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from speechmlx import languages
from speechmlx.conversation.engines import Engines, model_or_default
from speechmlx.conversation.events import Event, TranslationDone, TranslationFailed
from speechmlx.conversation.input.transcriber import Transcriber
from speechmlx.conversation.input.transcript import Transcript, no_update
from speechmlx.conversation.llm.language_model import LanguageModel
from speechmlx.conversation.llm.rewriting import rewriter
from speechmlx.conversation.settings import Transcription
from speechmlx.errors import Busy, EngineFailed, SpeechError
from speechmlx.types import Audio, Kind

log = logging.getLogger(__name__)

MAX_WAITING = 16
"""Turns that may wait for their translation; one more has none."""


@dataclass(frozen=True)
class TranslationRequest:
    """A turn to translate: what was said, how it was recognised, and the language (ISO 639-1 code) that is wanted."""

    item: str
    transcript: Transcript
    audio: Audio
    transcription: Transcription
    target: str

    @property
    def spoken(self) -> str | None:
        """The language of the transcript; None: not known."""
        if self.transcription.task == "translate":
            return "en"
        return self.transcript.language or self.transcription.language


class TurnTranslator:
    """Translates one turn after the other. Each gives a TranslationDone or a TranslationFailed to `emit`.

    English comes from the speech itself where the recogniser translates. Every other language comes from
    the language model `remote`, else the local one. Without a language model there is no event.
    """

    def __init__(self, engines: Engines, remote: LanguageModel | None, emit: Callable[[Event], None]) -> None:
        self._engines = engines
        self._remote = remote
        self._emit = emit
        self._tasks: list[asyncio.Task[None]] = []

    def add(self, request: TranslationRequest) -> None:
        """Translate a turn after those added before it. A turn without words has no translation."""
        if not request.transcript.text:
            return
        if len(self._tasks) >= MAX_WAITING:
            error = Busy(f"{MAX_WAITING} turns wait for their translation, which is the limit: this one has none")
            self._emit(TranslationFailed(request.item, error))
            return
        task = asyncio.create_task(self._run(request, self._tasks[-1] if self._tasks else None))
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)

    async def finish(self) -> None:
        """Returns when every turn that was added is translated, or failed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Stop at once."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, request: TranslationRequest, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            text = await self._translate(request)
        except SpeechError as error:
            self._emit(TranslationFailed(request.item, error))
        except Exception:
            log.exception("translating %s failed", request.item)
            failed = EngineFailed("the translation failed; the server's log has more")
            self._emit(TranslationFailed(request.item, failed))
        else:
            if text is not None:
                self._emit(TranslationDone(request.item, text, request.target))

    async def _translate(self, request: TranslationRequest) -> str | None:
        if request.spoken is not None and languages.code(request.spoken) == languages.code(request.target):
            return request.transcript.text
        if request.target == "en" and self._translates(request.transcription):
            return await self._from_speech(request)
        model = rewriter(self._engines, self._remote)
        if model is None:
            return None
        return await model.translate(request.transcript.text, request.target, request.spoken)

    def _translates(self, transcription: Transcription) -> bool:
        return model_or_default(self._engines, transcription.model, Kind.ASR).into_english

    async def _from_speech(self, request: TranslationRequest) -> str:
        """English by the recogniser itself, from the sound of the turn. Raises SpeechErrors."""
        transcriber = Transcriber(self._engines)
        transcriber.settings = replace(
            request.transcription, task="translate", prompt=None, speakers=None, words=False, logprobs=False
        )
        text = (await transcriber.transcribe(request.audio, 0.0, no_update)).text
        if not text:
            raise EngineFailed("the recogniser gave no translation")
        return text


def can_translate(engines: Engines, remote: LanguageModel | None, transcription: Transcription, target: str) -> bool:
    """Whether a session's turns can get translations into `target`."""
    english = target == "en" and model_or_default(engines, transcription.model, Kind.ASR).into_english
    return english or rewriter(engines, remote) is not None
