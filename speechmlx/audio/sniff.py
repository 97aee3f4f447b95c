"""Detects the format of a file and the offset of its audio from the content, not from the name."""

from __future__ import annotations

import re
from typing import BinaryIO, NamedTuple

from speechmlx.audio import frames, kinds

HEAD = 512
"""Bytes needed to detect a container."""
WINDOW = 65536
"""Bytes searched for the first complete frame of a stream that is cut."""
ALLOWED = "WAV, FLAC, MP3, OGG (Opus or Vorbis), M4A/MP4, AAC, AMR, WebM, AIFF or CAF"


class Format(NamedTuple):
    """A supported container: its `name` for people and its ffmpeg `demuxer`."""

    name: str
    demuxer: str


WAV = Format("WAV", "wav")
FLAC = Format("FLAC", "flac")
MP3 = Format("MP3", "mp3")
AAC = Format("AAC", "aac")
OGG = Format("OGG", "ogg")
MP4 = Format("M4A/MP4", "mov")
WEBM = Format("WebM", "matroska")
AIFF = Format("AIFF", "aiff")
CAF = Format("CAF", "caf")
AMR = Format("AMR", "amr")

MAGIC = ((b"fLaC", FLAC), (b"OggS", OGG), (b"\x1a\x45\xdf\xa3", WEBM), (b"caff", CAF), (b"#!AMR", AMR))
ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
LARGEST = 0x20000000
"""Largest size of an MP4 atom other than the media data. Text read as a size would be larger."""
BOM = b"\xef\xbb\xbf"
PARTS = 64
"""Maximum number of tags, byte order marks and runs of blanks that are skipped before the audio."""
BLANKS = b"\0 \t\r\n"


def sniff(head: bytes) -> Format | None:
    """The container that begins with `head` (at least 12 bytes, HEAD suffice); None if it is uncertain."""
    if head[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX") and head[8:12] == b"WAVE":
        return WAV
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    if head[4:8] == b"mdat" or (head[4:8] in ATOMS and int.from_bytes(head[:4]) < LARGEST):
        return MP4
    return next((container for magic, container in MAGIC if head.startswith(magic)), None)


def locate(file: BinaryIO, headerless: bool) -> tuple[Format, int] | None:
    """The format of `file` and the offset of its start, after ID3v2 tags, a byte order mark, blanks and zeros.

    An MP3 or AAC stream may begin within a frame. With `headerless`, this is not searched: PCM can look like it.
    """
    start, tag = _preamble(file)
    around = max(0, start - 4)  # an MP4 begins with a size field, whose bytes may be zeros or blanks
    head = _read(file, around, HEAD + 4)
    for at in range(start, around - 1, -1):
        if container := sniff(head[at - around :]):
            return container, at
    if tag is None and (headerless or kinds.binary(_read(file, 0, HEAD)) or kinds.binary(head[start - around :])):
        return None
    if stream := frames.find(_read(file, start, WINDOW + frames.REACH), WINDOW):
        return AAC if stream.aac else MP3, start + stream.at
    return None if tag is None else (MP3, tag)


def describe(file: BinaryIO) -> str:
    """Description of a file that is not audio, for the error message."""
    head = _read(file, 0, HEAD)
    if not head:
        return "nothing (0 bytes)"
    rest = _read(file, _preamble(file)[0], HEAD)
    if not rest:
        return "nothing but zeros and blanks"
    return (
        kinds.binary(head) or kinds.binary(rest) or kinds.text(rest)
    ) or f"of no known kind (it starts with {head[:8].hex(' ')})"


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _preamble(file: BinaryIO) -> tuple[int, int | None]:
    """Offset of the first byte after the preamble, and the end of the last ID3v2 tag, if there is one."""
    start, tag, parts = 0, None, 0
    while parts < PARTS and (head := _read(file, start, WINDOW)):
        if size := _tag_size(head):
            start = tag = start + size
        else:
            size = _blanks(head)
            start += size
        if not size:
            break
        parts += size != len(head)  # a run of zeros longer than WINDOW counts once
    return start, tag


def _blanks(head: bytes) -> int:
    """Bytes of a byte order mark and blanks at the beginning.

    To strip blanks holds the interpreter a hundred times as long as to find that all are zeros, and five times as long
    as to leave them out. Four uploads of 64 MB of zeros held up every other answer.
    """
    if head == bytes(len(head)) or not head.translate(None, BLANKS):
        return len(head)
    return len(head) - len(head.removeprefix(BOM).lstrip(BLANKS))


def _tag_size(head: bytes) -> int:
    """Size in bytes of the ID3v2 tag at the beginning; 0 if there is none."""
    tag = re.match(rb"ID3[\x02-\x04][^\xff](.)([\0-\x7f]{4})", head, re.DOTALL)
    if tag is None:
        return 0
    size = 10
    for place, byte in enumerate(reversed(tag[2])):
        size += byte << 7 * place
    return size + (10 if tag[1][0] & 0x10 else 0)  # the footer
