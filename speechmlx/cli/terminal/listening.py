"""The work of `audio-server listen`: live words at a terminal, as lines, or as JSON."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from speechmlx.cli.terminal.backend import LISTEN_RATE, Backend, HearingOptions, LiveSpeech
from speechmlx.cli.terminal.captions import Captions, speaker_label
from speechmlx.cli.terminal.running import feed_and_read, say_json
from speechmlx.cli.terminal.sound_devices import sound_library
from speechmlx.cli.terminal.sources import file_blocks, microphone_blocks
from speechmlx.types import Hypothesis, Word


class LiveCaptions:
    """A recording, or the microphone, until Ctrl-C."""

    def __init__(self, recording: Path | None, options: HearingOptions, as_json: bool) -> None:
        """`recording` None: the microphone. Raises Unavailable where there is none."""
        self._recording = recording
        self._options = options
        self._as_json = as_json
        self._captions = Captions(shutil.get_terminal_size().columns if sys.stdout.isatty() else None)
        if recording is None:
            sound_library()

    async def run(self, backend: Backend) -> int:
        """Listen to the end; the exit code. Raises SpeechError."""
        with ExitStack() as stack:
            async with backend.listen(self._options) as live:
                if self._recording is not None:
                    blocks = file_blocks(self._recording, LISTEN_RATE, paced=False)
                else:
                    blocks = microphone_blocks(stack, LISTEN_RATE, "Listening.")
                await feed_and_read(_feed(blocks, live), self._show(live))
        return 0

    async def _show(self, live: LiveSpeech) -> None:
        try:
            async for hypothesis in live:
                if self._as_json:
                    say_json(as_dict(hypothesis))
                else:
                    self._write(self._captions.update(hypothesis))
        finally:
            if not self._as_json:
                self._write(self._captions.end())

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


async def _feed(blocks: AsyncIterator[bytes], live: LiveSpeech) -> None:
    """Feed all audio, and finish."""
    async for block in blocks:
        await live.feed(block)
    await live.finish()


def as_dict(hypothesis: Hypothesis) -> dict[str, Any]:
    """Words for JSON: those that are final, and the unsure ones after them. Times are seconds."""
    return {"final": [_word(word) for word in hypothesis.committed], "unsure": [_word(w) for w in hypothesis.tail]}


def _word(word: Word) -> dict[str, Any]:
    told: dict[str, Any] = {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)}
    return told if word.speaker is None else {**told, "speaker": speaker_label(word.speaker)}
