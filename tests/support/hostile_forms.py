"""Multipart forms with pieces cut out, doubled, swapped and slipped in."""

from __future__ import annotations

import random

import numpy as np

from speechmlx.audio.encode import wav_header
from speechmlx.audio.pcm import to_pcm16

RATE = 16000
TONE = to_pcm16((0.3 * np.sin(np.arange(RATE * 2) / 7)).astype(np.float32))
WAV = wav_header(RATE, len(TONE) // 2) + TONE
GOOD = (
    b'--edge\r\nContent-Disposition: form-data; name="model"\r\n\r\nscripted-asr\r\n'
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\n" + WAV[:400] + b"\r\n--edge--\r\n"
)
PIECES = (
    b"--edge", b"--edge--", b"\r\n", b"\n", b"\r", b'Content-Disposition: form-data; name="', b'"', b"; filename=",
    b"Content-Type: ", b"multipart/mixed; boundary=edge", b"\x00", b"\xff\xfe", b":", b"--", b"; name*=utf-8''%",
    b"Content-Transfer-Encoding: base64\r\n", b"a" * 5000, b"[]", b"[type]", b"kwargs",
)  # fmt: skip
TYPES = ("multipart/form-data; boundary=edge",) * 12 + (
    "multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="', "multipart/mixed",
    "multipart/form-data; boundary=edge; charset=nonsense", "multipart/form-data; boundary=" + "e" * 300,
)  # fmt: skip


def fuzzed(chance: random.Random) -> bytes:
    """A good form with pieces cut out, doubled, swapped and slipped in."""
    body = bytearray(GOOD)
    for _ in range(chance.randrange(1, 12)):
        start = chance.randrange(len(body) + 1)
        end = min(len(body), start + chance.randrange(40))
        match chance.randrange(4):
            case 0:
                del body[start:end]
            case 1:
                body[start:start] = body[start:end]
            case 2:
                body[start:start] = chance.choice(PIECES)
            case 3 if start < len(body):
                body[start] = chance.randrange(256)
    return bytes(body)
