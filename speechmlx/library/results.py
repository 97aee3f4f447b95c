"""What calls of the library give: a transcript, a sound, a spoken answer. They can be saved as files."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speechmlx.audio.codecs import encoder
from speechmlx.audio.encode import MEDIA_TYPES, wav_header
from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.pcm import from_pcm16, to_pcm16
from speechmlx.audio.resample import resample
from speechmlx.errors import BadRequest, NoRoom
from speechmlx.recognition import RecognitionResult
from speechmlx.spoken_captions import caption_format, spoken_captions
from speechmlx.transcript_formats import FORMATS, formatted
from speechmlx.types import Audio, Chunk, WordTime

ENDINGS = {".txt": "text", ".ogg": "opus", ".oga": "opus", ".raw": "pcm"}
"""Formats of files whose ending is not the format's own name."""
TELEPHONE = {"mulaw": AudioFormat("ulaw", 8000), "alaw": AudioFormat("alaw", 8000)}
"""The formats of telephones, in a WAV file."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SOUND_FORMATS = (*MEDIA_TYPES, *TELEPHONE)


@dataclass
class Recognised(RecognitionResult):
    """The transcript of a recording: its segments, its words where they were asked for, and who speaks when."""

    source: str = ""
    """Name of the recording's file, without its ending."""

    def format(self, format: str) -> str:
        """The transcript as text, json, verbose_json, srt, vtt, tsv or rttm. Raises BadRequest for another format."""
        return formatted(self, format, self.source)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """Write it to a file, and return its path. `format` None: by the ending of the name, .txt for text.

        Raises BadRequest for an unknown format and a path that cannot be written, NoRoom where the disk is full.
        """
        file = Path(path).expanduser()
        text = self.format(format or _format_of(file, FORMATS))
        return write_file(file, text.encode())


@dataclass(frozen=True)
class Sound(Audio):
    """Mono float32 `samples` [n] at `rate` Hz, as they were made."""

    words: tuple[WordTime, ...] = ()
    """The words of a text that was spoken, as they are written, with their times; empty where nobody knows them."""

    @classmethod
    def of(cls, chunks: Sequence[Chunk], rate: int, words: Sequence[WordTime] = ()) -> Sound:
        """The sound of all chunks; of none, an empty one at `rate` Hz."""
        rate = chunks[0].rate if chunks else rate
        return cls(from_pcm16(b"".join(chunk.pcm16 for chunk in chunks)), rate, tuple(words))

    def captions(self, format: str = "srt") -> str:
        """The words as subtitles: srt or vtt, a cue for each sentence. Raises BadRequest for another format."""
        return spoken_captions(self.words, caption_format(format))

    def encode(self, format: str = "wav") -> bytes:
        """The bytes of a file: wav, mp3, opus, aac, flac; pcm (headerless PCM16 at 24 kHz); mulaw, alaw (WAV at 8 kHz).

        Raises BadRequest for another format.
        """
        if format in TELEPHONE:
            written = TELEPHONE[format]
            data = written.encode(resample(self.samples, self.rate, written.rate))
            return wav_header(written.rate, len(data), written.encoding) + data
        if format not in MEDIA_TYPES:
            known = ", ".join(SOUND_FORMATS)
            raise BadRequest(f"there is no format {format!r:.80} of sound; the formats are {known}")
        stream = encoder(format, self.rate)
        data = stream.push(to_pcm16(self.samples)) + stream.finish()
        return stream.head + data[len(stream.head) :]

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """Write it to a file, and return its path. `format` is one of `encode`; None: by the ending of the name.

        Raises BadRequest for an unknown format and a path that cannot be written, NoRoom where the disk is full.
        """
        file = Path(path).expanduser()
        return write_file(file, self.encode(format or _format_of(file, SOUND_FORMATS)))


@dataclass(frozen=True)
class SpokenAnswer:
    """A spoken answer to a spoken question: the words of both, as far as the models tell them, and the sound."""

    question: str
    """"" where a speech-to-speech model answered, which does not say what it heard."""
    text: str
    sound: Sound


def _format_of(file: Path, formats: Sequence[str]) -> str:
    ending = file.suffix.lower()
    format = ENDINGS.get(ending, ending.removeprefix("."))
    if format not in formats:
        raise BadRequest(f"the name {file.name!r:.80} tells no format; give format= one of {', '.join(formats)}")
    return format


def write_file(file: Path, data: bytes) -> Path:
    """Write `data` to a file, and return its path. Raises BadRequest where it cannot be written, NoRoom."""
    try:
        file.write_bytes(data)
    except OSError as error:
        if error.errno in FULL:
            raise NoRoom(f"there is no room for {file}: {error.strerror}") from error
        raise BadRequest(f"{file} cannot be written: {error.strerror or error}") from error
    return file
