"""AsyncSpeech: recognition, synthesis, enhancement, answers and live sessions, for programs that run an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from speechmlx.conversation.conversation_session import ConversationSession
from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.conversation.session import TranscriptionSession
from speechmlx.conversation.settings import TurnTaking
from speechmlx.errors import BadRequest, Busy, Draining
from speechmlx.library import requests, work
from speechmlx.library.call import AsyncCall
from speechmlx.library.listening import AsyncListening
from speechmlx.library.results import Recognised, Sound, SpokenAnswer
from speechmlx.library.settings import SpeechSettings, read_config
from speechmlx.library.talking import AsyncTalk
from speechmlx.models import admission, catalog, store
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.types import Chunk, Pronunciation, Respond, Segment, SpeakerOptions, TextDelta, Voice

if TYPE_CHECKING:
    from speechmlx.library.sources import Source

TURNS = TurnTaking()
"""Turns end after half a second of silence; speech interrupts an answer."""


class AsyncSpeech:
    """The models of this machine. Use it with `async with`, or `close` it at the end. One event loop only.

    The settings are those of the server: its file, its environment variables, and the keyword arguments, which win.
    `config_file` is another settings file. The engine process starts with the first call, and a model is fetched and
    loaded when it is first needed. Raises BadRequest for wrong settings, and UnknownModel.
    """

    def __init__(
        self, *, config_file: str | os.PathLike[str] | None = None, **settings: Unpack[SpeechSettings]
    ) -> None:
        self.config = read_config(settings, config_file)
        rows = admission.admit_settings(catalog.load(store.cache_folder(self.config)), self.config)
        rows.check(self.config)
        self._runtime = Runtime(self.config, rows)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._live: set[AsyncListening | AsyncTalk] = set()
        """The live sessions that are open."""
        self._closed = False

    async def __aenter__(self) -> Self:
        await self._started()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End what is under way, and the engine process. May be called again."""
        if self._closed:
            return
        self._closed = True
        for live in list(self._live):
            await live.close()
        if self._loop is not None:
            await self._runtime.close()

    def transcribe(
        self,
        audio: Source,
        *,
        model: str | None = None,
        language: str | None = None,
        translate: bool = False,
        words: bool = False,
        diarize: bool | SpeakerOptions = False,
        prompt: str | None = None,
        hotwords: Iterable[str] = (),
    ) -> AsyncCall[Segment, Recognised]:
        """Speech to text: iterate for the segments as they are recognised, or `await` the whole transcript.

        `audio`: a path, the bytes of a file, a binary file, an Audio, or (array, rate) with samples [n] or
        [n, channels] at `rate` Hz. `language`: a code, tag or English name; None detects it. `translate` into English.
        `words`: segments have words with their times in seconds. `diarize` tells speakers apart: segments and words
        name theirs. `prompt`: text that may come before; `hotwords`: names that are likely to be said. Raises BadAudio,
        TooLarge, UnknownModel, Unsupported for a language that the model does not know, and BadRequest.
        """
        options = requests.TranscribeOptions(
            model, language, translate, words, requests.speakers(diarize), prompt, requests.texts("hotwords", hotwords)
        )
        whole = Recognised(0.0)

        async def prepare(stack: AsyncExitStack) -> AsyncIterator[Segment]:
            return await work.transcribe(await self._started(), stack, audio, options, whole)

        return AsyncCall(prepare, lambda: whole)

    def speak(
        self,
        text: str,
        *,
        model: str | None = None,
        voice: str | Voice | None = None,
        language: str | None = None,
        speed: float = 1.0,
        pronunciations: Iterable[Pronunciation] = (),
    ) -> AsyncCall[Chunk, Sound]:
        """Text to speech: iterate for the chunks (mono PCM16) as they are made, or `await` all, the times of words too.

        `voice`: a name of the model's, or a Voice; None: its default. `language`: how a voice of several languages
        reads, such as "en-gb". `speed`: from 0.25 to 4. Raises UnknownVoice, Unsupported for a language that the model
        does not speak or that is not installed, and BadRequest.
        """
        options = requests.SpeakOptions(text, model, voice, language, speed, tuple(pronunciations))
        chunks = work.Chunks()

        async def prepare(stack: AsyncExitStack) -> AsyncIterator[Chunk]:
            return await work.speak(await self._started(), stack, options, chunks)

        return AsyncCall(prepare, chunks.sound)

    def enhance(self, audio: Source, *, model: str | None = None) -> AsyncCall[Chunk, Sound]:
        """Reduce noise: iterate for the chunks (mono PCM16), or `await` the whole sound, as long as the recording.

        `audio` as for `transcribe`. Raises BadAudio, TooLarge, UnknownModel and BadRequest.
        """
        chunks = work.Chunks()

        async def prepare(stack: AsyncExitStack) -> AsyncIterator[Chunk]:
            return await work.enhance(await self._started(), stack, audio, model, chunks)

        return AsyncCall(prepare, chunks.sound)

    def respond(
        self,
        audio: Source,
        *,
        model: str | None = None,
        voice: str | Voice | None = None,
        language: str | None = None,
        instructions: str | None = None,
        max_steps: int = Respond.max_steps,
    ) -> AsyncCall[Segment | TextDelta | Chunk, SpokenAnswer]:
        """A spoken answer to a spoken question: iterate for what was heard (Segment), the answer's text (TextDelta) and
        its sound (Chunk, mono PCM16) as they come, or `await` the whole.

        A speech-to-speech model answers where there is one, else recognition, a language model and synthesis.
        `max_steps`: the length of the answer in frames of 80 ms, from 1 to 3000. Raises BadRequest where the recording
        has no speech, and what `transcribe` and `speak` raise.
        """
        options = requests.RespondOptions(model, voice, language, instructions, max_steps)
        answer = work.AnswerParts()

        async def prepare(stack: AsyncExitStack) -> AsyncIterator[Segment | TextDelta | Chunk]:
            return await work.respond(await self._started(), stack, audio, options, answer)

        return AsyncCall(prepare, answer.whole)

    def listen(
        self,
        *,
        model: str | None = None,
        language: str | None = None,
        translate: bool = False,
        diarize: bool | SpeakerOptions = False,
        prompt: str | None = None,
        hotwords: Iterable[str] = (),
        turns: TurnTaking = TURNS,
    ) -> AsyncListening:
        """Live speech to text: feed audio, and iterate for the words that are final, each once, and the unsure ones.

        The options are those of `transcribe`; `turns` says what silence ends a turn. Raises UnknownModel, Unsupported
        and BadRequest; entering the block raises Busy where `max_sessions` sessions are open.
        """
        speakers = requests.speakers(diarize)
        options = requests.TranscribeOptions(
            model, language, translate, True, speakers, prompt, requests.texts("hotwords", hotwords)
        )

        async def open_session() -> tuple[TranscriptionSession, float]:
            runtime = await self._place(live)
            settings = requests.listening(runtime, options, turns)
            return TranscriptionSession(runtime, settings), self.config.audio_timeout

        live = AsyncListening(open_session, self._live.discard)
        return live

    def converse(
        self,
        *,
        instructions: str = "",
        model: str | None = None,
        voice: str | None = None,
        language: str | None = None,
        speed: float = 1.0,
        max_tokens: int | None = None,
        temperature: float | None = None,
        turns: TurnTaking = TURNS,
    ) -> AsyncTalk:
        """A spoken conversation: feed the microphone's audio, and iterate over what happens; play the OutputAudio.

        `model` is the language model, or the one that `llm_url` serves. `language` of the answers and of the person.
        `turns` says what ends a turn, and whether speech interrupts an answer. Entering the block raises Busy as for
        `listen`, UnknownModel, UnknownVoice, Unsupported and BadRequest.
        """
        options = requests.TalkOptions(instructions, model, voice, language, speed, max_tokens, temperature, turns)

        async def open_session() -> tuple[ConversationSession, float]:
            runtime = await self._place(live)
            settings = requests.talking(runtime, options)
            session = ConversationSession(runtime, settings, remote_language_model(self.config))
            return session, self.config.audio_timeout

        live = AsyncTalk(open_session, self._live.discard)
        return live

    # --- the runtime ---

    async def _started(self) -> Runtime:
        """The runtime, which starts with the first call. Raises Draining after `close`."""
        if self._closed:
            raise Draining("this Speech is closed; make a new one")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            await self._runtime.start()
        elif self._loop is not loop:
            raise BadRequest("this AsyncSpeech began in another event loop; make one for each asyncio.run")
        return self._runtime

    async def _place(self, live: AsyncListening | AsyncTalk) -> Runtime:
        """The runtime, with a place for a live session. Raises Busy where there is none."""
        runtime, limit = await self._started(), self.config.max_sessions
        if len(self._live) >= limit:
            raise Busy(f"{limit} live sessions are open, which is the limit (max_sessions); close one first")
        self._live.add(live)
        return runtime
