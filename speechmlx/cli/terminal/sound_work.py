"""The work of the verbs that make sound: `speak`, `enhance` and `respond`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

from speechmlx.audio.pcm import to_pcm16
from speechmlx.cli.terminal.backend import Backend, SpeakingOptions
from speechmlx.cli.terminal.bars import FileBars
from speechmlx.cli.terminal.caption_file import CaptionFile
from speechmlx.cli.terminal.recordings import STANDARD, RecordingFile
from speechmlx.cli.terminal.running import FAILED, hint, say, say_json, tell
from speechmlx.cli.terminal.sound_devices import Loudspeaker, sound_library
from speechmlx.cli.terminal.sound_file import SoundFile, format_of
from speechmlx.cli.terminal.standard_input import texts
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.library.requests import check_speed
from speechmlx.types import Chunk


class SoundOutput:
    """Where sound goes while it is made: a file, or the loudspeaker. Use it with `with`."""

    def __init__(self, output: str | None) -> None:
        """`output` None: the loudspeaker. Raises Unavailable where there is none."""
        self._output = output
        self._file: SoundFile | None = None
        self._speaker: Loudspeaker | None = None
        self._stack = ExitStack()
        self.seconds = 0.0
        self.rate = 0
        if output is None:
            sound_library()

    def __enter__(self) -> SoundOutput:
        if self._output is not None:
            self._file = self._stack.enter_context(SoundFile(self._output))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    async def put(self, chunk: Chunk) -> None:
        """The next piece. Raises SpeechError."""
        self.seconds += chunk.duration
        self.rate = chunk.rate
        if self._file is not None:
            self._file.write(chunk)
            return
        if self._speaker is None:
            self._speaker = Loudspeaker(chunk.rate)
            self._stack.enter_context(self._speaker.open())
        await self._speaker.play(chunk.pcm16)

    async def drained(self) -> None:
        """Returns when all was played."""
        if self._speaker is not None:
            await self._speaker.drained()

    def told(self) -> dict[str, Any]:
        """What was made, for JSON."""
        return {"output": self._output, "seconds": round(self.seconds, 3), "rate": self.rate}


class SpokenTexts:
    """A text, or those of standard input, one after the other."""

    def __init__(
        self,
        text: str | None,
        options: SpeakingOptions,
        output: str | None,
        as_json: bool,
        captions: Path | None = None,
    ) -> None:
        """`text` None: standard input. `captions`: a file for subtitles, .srt or .vtt.

        Raises BadRequest, and Unavailable where nothing can be played.
        """
        check_speed(options.speed)
        self._captions = None if captions is None else CaptionFile(captions)
        if output is not None:
            format_of(output)
        if text is not None and not text.strip():
            raise BadRequest("there is no text to speak")
        if as_json and output == STANDARD:
            raise BadRequest("--json and the sound cannot both go to standard output; name a file with -o")
        self._text = text
        self._options = options
        self._output = output
        self._sound = SoundOutput(output)
        self._as_json = as_json

    async def run(self, backend: Backend) -> int:
        """Speak all; the exit code. Raises SpeechError."""
        with self._sound as out:
            spoken = False
            async with aclosing(self._texts()) as given:
                async for text in given:
                    spoken = True
                    await self._speak(backend, text, out)
            if not spoken:
                raise BadRequest("there is no text on standard input")
            if self._captions is not None:
                self._captions.write()
            await out.drained()
        captions = {} if self._captions is None else {"captions": str(self._captions.path)}
        if self._as_json:
            say_json({**self._sound.told(), **captions})
        elif self._output not in (None, STANDARD):
            hint(f"{self._output}: {self._sound.seconds:.1f} s")
        return 0

    async def _speak(self, backend: Backend, text: str, out: SoundOutput) -> None:
        if self._captions is None:
            async with aclosing(backend.speak(text, self._options)) as chunks:
                async for chunk in chunks:
                    await out.put(chunk)
            return
        began = out.seconds
        async with aclosing(backend.speak_timed(text, self._options)) as events:
            async for event in events:
                if isinstance(event, Chunk):
                    await out.put(event)
                else:
                    self._captions.add(event.words, began)
        self._captions.end_text(len(text))

    async def _texts(self) -> AsyncGenerator[str, None]:
        if self._text is not None:
            yield self._text
            return
        async for text in texts():
            yield text


class EnhancedFiles:
    """Recordings whose noise is reduced, one after the other."""

    def __init__(
        self, files: Sequence[RecordingFile], paths: Sequence[Path | str], model: str | None, as_json: bool
    ) -> None:
        """`paths` has the output of each file, in a format by its name."""
        self._files = files
        self._paths = paths
        self._model = model
        self._as_json = as_json

    async def run(self, backend: Backend) -> int:
        """Enhance all; the exit code. Errors of single recordings are told, and the others go on."""
        failed = False
        with FileBars(len(self._files), "Enhancing") as bars:
            for file, path in zip(self._files, self._paths, strict=True):
                bars.begin(file.name)
                trouble, told = None, dict[str, Any]()
                try:
                    told = await self._one(backend, file, path)
                except SpeechError as error:
                    trouble, failed = error, True
                bars.end(file.name)
                with bars.aside():
                    if trouble is None:
                        self._tell(file, path, told)
                    else:
                        tell(f"{file.name}: {trouble}")
        return FAILED if failed else 0

    async def _one(self, backend: Backend, file: RecordingFile, path: Path | str) -> dict[str, Any]:
        with SoundOutput(str(path)) as out:
            async with aclosing(backend.enhance(file.path, self._model)) as chunks:
                async for chunk in chunks:
                    await out.put(chunk)
        return out.told()

    def _tell(self, file: RecordingFile, path: Path | str, told: dict[str, Any]) -> None:
        if self._as_json:
            say_json({"file": file.name, **told})
        elif path != STANDARD:
            say(str(path))


class SpokenReply:
    """The answer to a recorded question."""

    def __init__(self, question: Path, options: SpeakingOptions, output: str | None, as_json: bool) -> None:
        """`output` None: the answer is played. Raises Unavailable where it cannot be."""
        self._question = question
        self._options = options
        self._output = output
        self._sound = SoundOutput(output)
        self._as_json = as_json

    async def run(self, backend: Backend) -> int:
        """Answer; the exit code. Raises SpeechError."""
        answer = await backend.respond(self._question, self._options)
        if not self._as_json and self._output != STANDARD:
            if answer.question:
                say(f"Question: {answer.question}")
            say(f"Answer: {answer.text}")
        with self._sound as out:
            await out.put(Chunk(to_pcm16(answer.sound.samples), answer.sound.rate))
            await out.drained()
        if self._as_json:
            say_json({"question": answer.question, "answer": answer.text, **out.told()})
        return 0
