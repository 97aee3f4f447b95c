"""Names the kind of input that is not readable audio, for error messages: other files, fragments, text."""

from __future__ import annotations

import codecs
import re

OTHERS = {
    rb"\x89PNG": "a PNG image",
    rb"\xff\xd8\xff": "a JPEG image",
    rb"GIF8": "a GIF image",
    rb"RIFF....WEBP": "a WebP image",
    rb"BM....\0{4}": "a BMP image",
    rb"II\*\0|MM\0\*": "a TIFF image",
    rb"%PDF": "a PDF document",
    rb"\{\\rtf": "an RTF document",
    rb"\xd0\xcf\x11\xe0": "an Office document",
    rb"PK(\x03\x04|\x05\x06)": "a ZIP archive",
    rb"Rar!": "a RAR archive",
    rb"7z\xbc\xaf": "a 7z archive",
    rb"\x1f\x8b": "gzip data",
    rb"BZh[1-9]1AY": "bzip2 data",
    rb"\xfd7zXZ": "xz data",
    rb"\x28\xb5\x2f\xfd": "zstd data",
    rb"\x7fELF|MZ\x90\0|\xcf\xfa\xed\xfe": "a program",
    rb"SQLite format": "an SQLite database",
    rb"RIFF....AVI ": "an AVI video",
    rb"\0\0\x01[\xb3\xba]": "an MPEG video",
    rb"G.{187}G.{187}G": "an MPEG transport stream",
    rb"\0\0\0?\x01[\x09\x27\x40\x42\x67]": "video without a container",
    rb"FLV\x01": "a Flash video",
    rb"\x30\x26\xb2\x75": "WMA or WMV",
    rb"\.snd": "AU audio",
    rb"riff\x2e\x91": "Wave64 audio",
    rb"wvpk": "WavPack audio",
    rb"MAC ": "Monkey's Audio",
    rb"TTA1": "TTA audio",
    rb"MPCK|MP\+": "Musepack audio",
    rb"DSD |FRM8": "DSD audio",
    rb"\x0b\x77": "AC-3 audio",
    rb"\.RMF|\.ra\xfd": "RealAudio",
    rb"NIST_1A": "SPHERE audio",
    rb"\x02?#!SILK": "SILK audio",
    rb"MThd": "a MIDI file",
}
PIECES = {
    # A cluster, info, tracks or cues; a SimpleBlock, a BlockGroup: size, then the track, the time and flags.
    rb"\x1f\x43\xb6\x75|\x15\x49\xa9\x66|\x16\x54\xae\x6b|\x1c\x53\xbb\x6b": "a WebM recording",
    rb"(\xa3|\xa0.{1,4}\xa1)([\x80-\xff]|[\x40-\x7f].|[\x20-\x3f]..|[\x10-\x1f]...)[\x81-\x88]..[\0-\x0f\x80-\x8f]": (
        "a WebM recording"
    ),
    rb"OggS\0[\0\x01\x04\x05]": "an OGG recording",
    rb"....(moof|sidx)": "an M4A/MP4 recording",
}
TEXTS = {
    rb"<": "HTML or XML text",
    rb"[{\[]": "JSON text",
    rb"#EXTM3U": "an M3U playlist",
    rb"data:[^,]{0,60}base64,|UklGR|SUQz|T2dnU|ZkxhQ|GkXfo": "base64 text, not the audio itself",
}


def binary(head: bytes) -> str | None:
    """Name of the binary file that begins with `head` (512 bytes suffice); None if it may be text or audio frames."""
    return _named(OTHERS, head) or piece(head)


def piece(head: bytes) -> str | None:
    """Name of a fragment of a recording without its beginning; None for other data."""
    recording = _named(PIECES, head)
    return recording and f"a piece of {recording} without its beginning; send the first piece in front of it"


def text(head: bytes) -> str | None:
    """Name of the kind of text that begins with `head`; None if it is not text."""
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "plain text (UTF-16)"
    try:
        letters = codecs.getincrementaldecoder("utf-8")().decode(head)  # `head` may end within a character
    except UnicodeDecodeError:
        if sum(byte < 0x80 for byte in head) < len(head) * 3 / 4:
            return None
        letters = head.decode("latin-1")
    if not re.fullmatch(r"[^\0-\x08\x0e-\x1f\x7f-\x9f]*", letters):
        return None
    return _named(TEXTS, head) or "plain text"


def _named(kinds: dict[bytes, str], head: bytes) -> str | None:
    return next((name for magic, name in kinds.items() if re.match(magic, head, re.DOTALL)), None)
