"""The subtitles of spoken texts as a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from speechmlx.errors import BadRequest
from speechmlx.library.results import write_file
from speechmlx.spoken_captions import CAPTION_FORMATS, caption_format, spoken_captions
from speechmlx.types import WordTime


class CaptionFile:
    """Subtitles of texts that are spoken one after the other, which are written once all is said."""

    def __init__(self, path: Path) -> None:
        """Raises BadRequest for a name that is no subtitles'."""
        ending = path.suffix.lower().removeprefix(".")
        if ending not in CAPTION_FORMATS:
            allowed = " or ".join(f".{format}" for format in CAPTION_FORMATS)
            raise BadRequest(f"the name {path.name!r:.80} tells no format of subtitles: it ends in {allowed}")
        self.path = path
        self._format = caption_format(ending)
        self._words: list[WordTime] = []
        self._at = 0

    def add(self, words: Iterable[WordTime], began: float) -> None:
        """Words of the text under way, whose sound began at `began` seconds."""
        for word in words:
            start, end = word.start + began, word.end + began
            self._words.append(
                replace(word, start=start, end=end, first=word.first + self._at, last=word.last + self._at)
            )

    def end_text(self, length: int) -> None:
        """A text of `length` characters is said; a blank parts it from the next."""
        self._at += length + 1

    def write(self) -> None:
        """Write the file. Raises BadRequest where nobody told the times of words or it cannot be written, NoRoom."""
        if not self._words:
            raise BadRequest(f"{self.path} has no subtitles: the model does not tell when it says each word")
        write_file(self.path, spoken_captions(self._words, self._format).encode())
