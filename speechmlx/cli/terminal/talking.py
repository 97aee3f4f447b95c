"""The work of `audio-server talk`: the microphone in, the answer's sound out, and both as text."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

from speechmlx.cli.terminal.backend import (
    TALK_RATE,
    AnswerOver,
    AnswerSound,
    AnswerText,
    Backend,
    LiveTalk,
    PersonSaid,
    PersonSpeaks,
    TalkEvent,
    TalkingOptions,
    TalkTrouble,
)
from speechmlx.cli.terminal.running import feed_and_read, say, say_json, tell
from speechmlx.cli.terminal.sound_devices import Loudspeaker, sound_library
from speechmlx.cli.terminal.sound_file import SoundFile
from speechmlx.cli.terminal.sources import file_blocks, microphone_blocks
from speechmlx.types import Chunk

PAUSE_SECONDS = 1.0
"""Seconds of silence after a recording, which end its last turn."""
ECHO_SECONDS = 0.4
"""Seconds after an answer in which a room still sounds."""


class TerminalTalk:
    """A conversation with the person at the microphone, or with a recording, until Ctrl-C."""

    def __init__(self, recording: Path | None, options: TalkingOptions, output: str | None, as_json: bool) -> None:
        """`recording` None: the microphone. `output` None: the loudspeaker. Raises Unavailable where one is missing."""
        self._recording = recording
        self._options = options
        self._output = output
        self._as_json = as_json
        self._file: SoundFile | None = None
        self._speaker: Loudspeaker | None = None
        self._quiet_from = 0.0
        """When an answer that is played is over, in the event loop's seconds."""
        self._text = ""
        """The answer under way, as far as it is written."""
        if recording is None or output is None:
            sound_library()

    async def run(self, backend: Backend) -> int:
        """Converse to the end; the exit code. Raises SpeechError."""
        with ExitStack() as stack:
            async with backend.talk(self._options) as talk:
                self._open_output(stack)
                if self._recording is not None:
                    blocks = file_blocks(self._recording, TALK_RATE, paced=True)
                else:
                    blocks = microphone_blocks(stack, TALK_RATE, "Speak.")
                await feed_and_read(self._feed(blocks, talk), self._show(talk))
                if self._speaker is not None:
                    await self._speaker.drained()
        return 0

    def _open_output(self, stack: ExitStack) -> None:
        if self._output is not None:
            self._file = stack.enter_context(SoundFile(self._output))
            return
        self._speaker = Loudspeaker(TALK_RATE)
        stack.enter_context(self._speaker.open())

    async def _feed(self, blocks: AsyncIterator[bytes], talk: LiveTalk) -> None:
        """Feed all audio and a pause, and finish. What the microphone hears of an answer is not fed."""
        async for block in blocks:
            await talk.feed(bytes(len(block)) if self._deaf() else block)
        await talk.feed(bytes(2 * round(TALK_RATE * PAUSE_SECONDS)))
        await talk.finish()

    def _deaf(self) -> bool:
        """Whether an answer is played by a loudspeaker that the microphone hears."""
        if self._speaker is None or self._options.interrupts:
            return False
        now = asyncio.get_running_loop().time()
        if self._speaker.busy:
            self._quiet_from = now + ECHO_SECONDS
        return now < self._quiet_from

    async def _show(self, talk: LiveTalk) -> None:
        async for event in talk:
            self._take(event)

    def _take(self, event: TalkEvent) -> None:
        """Play and tell an event."""
        if isinstance(event, AnswerSound):
            if self._file is not None:
                self._file.write(Chunk(event.pcm16, TALK_RATE))
            elif self._speaker is not None:
                self._speaker.add(event.pcm16)
            return
        if isinstance(event, PersonSpeaks) and self._speaker is not None and self._options.interrupts:
            self._speaker.clear()
        if self._as_json:
            self._tell_json(event)
        else:
            self._tell(event)

    def _tell(self, event: TalkEvent) -> None:
        match event:
            case PersonSaid(text) if text:
                self._end_line()
                say(f"You: {text}")
            case AnswerText(text):
                self._write(text if self._text else f"Answer: {text.lstrip()}")
                self._text += text
            case AnswerOver(status, error):
                if status == "cancelled" and self._text:
                    self._write(" [interrupted]")
                self._end_line()
                if error is not None:
                    tell(error)
            case TalkTrouble(message):
                self._end_line()
                tell(message)

    def _tell_json(self, event: TalkEvent) -> None:
        match event:
            case PersonSaid(text):
                say_json({"you": text})
            case AnswerText(text):
                self._text += text
            case AnswerOver(status, error):
                text, self._text = self._text.strip(), ""
                say_json({"answer": text, "status": status, **({} if error is None else {"error": error})})
            case TalkTrouble(message):
                say_json({"error": message})

    def _end_line(self) -> None:
        if self._text:
            self._write("\n")
        self._text = ""

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
