"""A sound that is written to a file, or to standard output, while it is made."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

from speechmlx.audio.encode import MEDIA_TYPES
from speechmlx.cli.terminal.recordings import STANDARD
from speechmlx.errors import BadRequest, NoRoom
from speechmlx.types import Chunk

if TYPE_CHECKING:
    from speechmlx.audio.codecs import StreamEncoder

OTHER_ENDINGS = {".ogg": "opus", ".oga": "opus", ".raw": "pcm", ".wave": "wav"}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def format_of(output: str) -> str:
    """The format of a file by the ending of its name; WAV on standard output. Raises BadRequest."""
    if output == STANDARD:
        return "wav"
    ending = Path(output).suffix.lower()
    format = OTHER_ENDINGS.get(ending, ending.removeprefix("."))
    if format not in MEDIA_TYPES:
        raise BadRequest(f"the name {output!r:.200} tells no format; names of sounds end in .{', .'.join(MEDIA_TYPES)}")
    return format


class SoundFile:
    """Use it with `with`. An error in the block leaves no file."""

    def __init__(self, output: str) -> None:
        """Raises BadRequest where the name tells no format, and where the file cannot be written."""
        self.format = format_of(output)
        self.seconds = 0.0
        self.rate = 0
        self.path = None if output == STANDARD else Path(output).expanduser()
        self._encoder: StreamEncoder | None = None
        try:
            self._file: BinaryIO = sys.stdout.buffer if self.path is None else self.path.open("wb")
        except OSError as error:
            raise BadRequest(f"{output} cannot be written: {error.strerror or error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        if self.path is not None:
            self._file.close()
            if kind is not None:
                self.path.unlink(missing_ok=True)

    def write(self, chunk: Chunk) -> None:
        """The next piece. Raises NoRoom where the disk is full."""
        if self._encoder is None:
            from speechmlx.audio.codecs import encoder

            self._encoder, self.rate = encoder(self.format, chunk.rate), chunk.rate
        self.seconds += chunk.duration
        self._put(self._encoder.push(chunk.pcm16))

    def _finish(self) -> None:
        if self._encoder is None:
            return
        self._put(self._encoder.finish())
        if self.path is not None and self._encoder.head:
            self._file.seek(0)
            self._put(self._encoder.head)

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            if error.errno in FULL:
                raise NoRoom(f"there is no room for {self.path}: {error.strerror}") from error
            raise BadRequest(f"{self.path} cannot be written: {error.strerror or error}") from error
