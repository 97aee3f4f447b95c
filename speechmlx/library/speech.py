"""Speech: AsyncSpeech for programs without an event loop."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

from speechmlx.config import Config
from speechmlx.conversation.settings import TurnTaking
from speechmlx.library.async_speech import TURNS, AsyncSpeech
from speechmlx.library.calls import AnswerCall, RecognitionCall, SoundCall
from speechmlx.library.loop_thread import LoopThread
from speechmlx.library.sessions import Listening, Talk
from speechmlx.library.settings import SpeechSettings
from speechmlx.types import Pronunciation, Respond, SpeakerOptions, Voice

if TYPE_CHECKING:
    from speechmlx.library.sources import Source


class Speech:
    """The models of this machine. Use it with `with`, or `close` it at the end; any thread may call it.

    The settings are those of the server: its file, its environment variables, and the keyword arguments, which win.
    `config_file` is another settings file. The engine process starts with the first call, and a model is fetched and
    loaded when it is first needed. Raises BadRequest for wrong settings, and UnknownModel.

    A call starts its work, raises what is wrong with its arguments, and can be iterated for its parts as they come.
    """

    def __init__(
        self, *, config_file: str | os.PathLike[str] | None = None, **settings: Unpack[SpeechSettings]
    ) -> None:
        self._speech = AsyncSpeech(config_file=config_file, **settings)
        self._loop = LoopThread(self._speech.close)

    @property
    def config(self) -> Config:
        """The settings in use."""
        return self._speech.config

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what is under way, and the engine process. May be called again."""
        self._loop.stop()

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
    ) -> RecognitionCall:
        """Speech to text: iterate for the segments as they are recognised, or read `text`, `segments`, `words`.

        `audio`: a path, the bytes of a file, a binary file, an Audio, or (array, rate) with samples [n] or
        [n, channels] at `rate` Hz. `language`: a code, tag or English name; None detects it. `translate` into English.
        `words`: segments have words with their times in seconds. `diarize` tells speakers apart: segments and words
        name theirs. `prompt`: text that may come before; `hotwords`: names that are likely to be said. Raises BadAudio,
        TooLarge, UnknownModel, Unsupported for a language that the model does not know, and BadRequest.
        """
        call = self._speech.transcribe(
            audio,
            model=model,
            language=language,
            translate=translate,
            words=words,
            diarize=diarize,
            prompt=prompt,
            hotwords=hotwords,
        )
        return RecognitionCall(self._loop, call)

    def speak(
        self,
        text: str,
        *,
        model: str | None = None,
        voice: str | Voice | None = None,
        language: str | None = None,
        speed: float = 1.0,
        pronunciations: Iterable[Pronunciation] = (),
    ) -> SoundCall:
        """Text to speech: iterate for the chunks (mono PCM16) as they are made, or take `samples` and `rate`, or
        `save` it.

        `voice`: a name of the model's, or a Voice; None: its default. `language`: how a voice of several languages
        reads, such as "en-gb". `speed`: from 0.25 to 4. Raises UnknownVoice, Unsupported for a language that the model
        does not speak or that is not installed, and BadRequest.
        """
        call = self._speech.speak(
            text, model=model, voice=voice, language=language, speed=speed, pronunciations=pronunciations
        )
        return SoundCall(self._loop, call)

    def enhance(self, audio: Source, *, model: str | None = None) -> SoundCall:
        """Reduce noise: iterate for the chunks (mono PCM16), or take `samples` and `rate`, or `save`.

        `audio` as for `transcribe`. Raises BadAudio, TooLarge, UnknownModel and BadRequest.
        """
        return SoundCall(self._loop, self._speech.enhance(audio, model=model))

    def respond(
        self,
        audio: Source,
        *,
        model: str | None = None,
        voice: str | Voice | None = None,
        language: str | None = None,
        instructions: str | None = None,
        max_steps: int = Respond.max_steps,
    ) -> AnswerCall:
        """A spoken answer to a spoken question: read `question`, `text` and `sound`, or iterate for what was heard
        (Segment), the answer's text (TextDelta) and its sound (Chunk, mono PCM16) as they come.

        A speech-to-speech model answers where there is one, else recognition, a language model and synthesis.
        `max_steps`: the length of the answer in frames of 80 ms, from 1 to 3000. Raises BadRequest where the recording
        has no speech, and what `transcribe` and `speak` raise.
        """
        call = self._speech.respond(
            audio, model=model, voice=voice, language=language, instructions=instructions, max_steps=max_steps
        )
        return AnswerCall(self._loop, call)

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
    ) -> Listening:
        """Live speech to text: feed audio, and iterate for the words that are final, each once, and the unsure ones.

        The options are those of `transcribe`; `turns` says what silence ends a turn. Raises UnknownModel, Unsupported
        and BadRequest; entering the block raises Busy where `max_sessions` sessions are open.
        """
        live = self._speech.listen(
            model=model,
            language=language,
            translate=translate,
            diarize=diarize,
            prompt=prompt,
            hotwords=hotwords,
            turns=turns,
        )
        return Listening(self._loop, live)

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
    ) -> Talk:
        """A spoken conversation: feed the microphone's audio, and iterate over what happens; play the OutputAudio.

        `model` is the language model, or the one that `llm_url` serves. `language` of the answers and of the person.
        `turns` says what ends a turn, and whether speech interrupts an answer. Entering the block raises Busy as for
        `listen`, UnknownModel, UnknownVoice, Unsupported and BadRequest.
        """
        live = self._speech.converse(
            instructions=instructions,
            model=model,
            voice=voice,
            language=language,
            speed=speed,
            max_tokens=max_tokens,
            temperature=temperature,
            turns=turns,
        )
        return Talk(self._loop, live)
