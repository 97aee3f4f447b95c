"""What some bytes are, told from their beginning and not from what a client calls them."""

from __future__ import annotations

from typing import NamedTuple

HEAD = 64
"""Bytes that are enough."""
ALLOWED = "WAV, FLAC, MP3, OGG (Opus or Vorbis), M4A/MP4, AAC, WebM, AIFF or CAF"


class Format(NamedTuple):
    """A container we read: its `name` for people and ffmpeg's `demuxer` for it."""

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

MAGIC = ((b"fLaC", FLAC), (b"OggS", OGG), (b"\x1a\x45\xdf\xa3", WEBM), (b"caff", CAF), (b"ID3", MP3))
ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
OTHERS = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"#EXTM3U", "an M3U playlist"),
    (b"#!AMR", "AMR audio"),
    (b"MThd", "a MIDI file"),
    (b"<", "HTML or XML text"),
    (b"{", "JSON text"),
    (b"[", "JSON text"),
)


def sniff(head: bytes) -> Format | None:
    """The container that certainly starts with `head` [>= 12 bytes, HEAD are enough]; None when it does not tell."""
    if head[:4] in (b"RIFF", b"RF64", b"RIFX") and head[8:12] == b"WAVE":
        return WAV
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    if head[4:8] in ATOMS:
        return MP4
    return next((found for magic, found in MAGIC if head.startswith(magic)), None)


def sniff_frames(head: bytes) -> Format | None:
    """MP3 or AAC without a header: eleven set bits and fields that make sense; headerless PCM can look like it too."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    if layer == 0:
        return AAC if head[1] & 0xF0 == 0xF0 and head[2] >> 2 & 15 < 13 else None
    return MP3 if version != 1 and head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3 else None


def describe(head: bytes) -> str:
    """What bytes that are no audio seem to be, for the error message."""
    if not head:
        return "nothing (0 bytes)"
    for magic, what in OTHERS:
        if head.lstrip().startswith(magic):
            return what
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return "plain text"
    return f"of no known kind (it starts with {head[:8].hex(' ')})"
