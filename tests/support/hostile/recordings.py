"""Recordings in every container, with damage to their bytes, cut or spliced, on every route that takes one."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
from support.encoded_audio import ENCODINGS, RATE, encode
from support.hostile.mutations import mutate
from support.hostile.target import Target, answered, request

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)).astype(np.float32)
KINDS = (*ENCODINGS, ("ogg", "flac"), ("mp4", "alac"), ("matroska", "pcm_s16le"), ("au", "pcm_s16be"))
RAW = ("/transcribe", "/enhance", "/v1/listen", "/v1/listen?encoding=linear16&sample_rate=8000", "/respond")
FORMS = {
    "/v1/audio/transcriptions": "file",
    "/v1/audio/translations": "file",
    "/asr": "audio_file",
    "/inference": "file",
    "/detect-language": "audio_file",
    "/transcribe": "file",
}


@cache
def seeds() -> tuple[bytes, ...]:
    """A quarter of a second of tone in each container."""
    return tuple(encode(container, codec, samples=TONE) for container, codec in KINDS)


def recording(draw: random.Random) -> bytes:
    """A recording with damage; half of it is in the first bytes, where a container says what it is."""
    one, other = draw.choice(seeds()), draw.choice(seeds())
    match draw.randrange(5):
        case 0:
            return one[: draw.randrange(len(one))]
        case 1:
            return one[: draw.randrange(len(one))] + other[draw.randrange(len(other)) :]
        case 2:
            return mutate(one[:200], draw, other) + one[200:]
        case _:
            return mutate(one, draw, other)


async def attack(target: Target, draw: random.Random) -> str | None:
    """Send one recording; what is wrong with the answer."""
    data = recording(draw)
    if draw.random() < 0.5:
        return await answered(target, request("POST", draw.choice(RAW), data, "Content-Type: audio/wav"))
    path, name = draw.choice(list(FORMS.items()))
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'.encode()
    body = head + data + b"\r\n--edge--\r\n"
    return await answered(target, request("POST", path, body, "Content-Type: multipart/form-data; boundary=edge"))
