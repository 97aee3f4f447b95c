"""Speakers as text: emb_data (base64 of a saved tensor) and ChatTTS's own strings (base16384 of packed numbers)."""

from __future__ import annotations

import base64
import io
import lzma
import zipfile

import numpy as np
from numpy.typing import NDArray

from speechmlx import torch_tensors

Vector = NDArray[np.float32]

FIRST, TAIL = 0x4E00, 0x3D00
"""Base16384: the character of 14 bits that are 0, and that of 0 bytes in the last group, which closes a text."""
BITS, GROUP = 14, 7
"""Bits of a character, and bytes of a group: four characters."""
MOST = 1 << 16
"""Bytes of a saved tensor, unpacked."""
PACKED = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}]
"""Far more than a vector looks back."""


def from_emb_data(text: str) -> NDArray[np.float32]:
    """The tensor in emb_data. Raises ValueError, or whatever reading hostile data raises."""
    data = base64.b64decode("".join(text.split()), validate=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > MOST:
            raise ValueError("it is too large")
        found = torch_tensors.load(archive, MOST)
    if not isinstance(found, np.ndarray) or not np.issubdtype(found.dtype, np.floating):
        raise ValueError("it is no tensor of numbers")
    return found.astype(np.float32).reshape(-1)


def is_speaker_string(text: str) -> bool:
    """Whether a text has the characters of base16384 alone."""
    return (
        bool(text)
        and all(FIRST <= ord(letter) < FIRST + (1 << BITS) for letter in text[:-1])
        and (TAIL < ord(text[-1]) < TAIL + GROUP or FIRST <= ord(text[-1]) < FIRST + (1 << BITS))
    )


def from_speaker_string(text: str, width: int) -> NDArray[np.float32]:
    """The `width` numbers of ChatTTS's own string of a speaker. Raises ValueError or LZMAError."""
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=PACKED)
    data = unpacker.decompress(from_base16384(text), max_length=2 * width + 1)
    if len(data) != 2 * width:
        raise ValueError(f"it has {len(data)} bytes, not {2 * width}")
    return np.frombuffer(data, "<f2").astype(np.float32)


def from_base16384(text: str) -> bytes:
    """The bytes of a text of base16384: 14 bits a character, in groups of 7 bytes. Raises ValueError."""
    rest = 0
    if text and TAIL < ord(text[-1]) < TAIL + GROUP:
        rest, text = ord(text[-1]) - TAIL, text[:-1]
    values = np.array([ord(letter) - FIRST for letter in text], np.int64)
    if ((values < 0) | (values >= 1 << BITS)).any():
        raise ValueError("it has other characters")
    bits = ((values[:, None] >> np.arange(BITS - 1, -1, -1)) & 1).astype(np.uint8).reshape(-1)
    last = -(-rest * 8 // BITS)
    whole, odd = divmod(len(text) - last, 4)
    if odd or whole < 0:
        raise ValueError("its last group is not whole")
    return np.packbits(bits)[: GROUP * whole + rest].tobytes()
