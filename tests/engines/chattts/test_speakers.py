"""The speakers of ChatTTS: emb_data, its own strings, and one for each name."""

from __future__ import annotations

import base64
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.torch_checkpoint import Global, checkpoint, tensor

from speechmlx.engines.chattts.speaker_codes import PACKED, from_base16384, is_speaker_string
from speechmlx.engines.chattts.speakers import SpeakerBook, xxh32
from speechmlx.errors import UnknownVoice
from speechmlx.types import NamedVoice

WIDTH = 768
VECTOR = np.random.RandomState(3).standard_normal(WIDTH).astype(np.float32)


@pytest.fixture
def book() -> SpeakerBook:
    random = np.random.RandomState(4)
    mean, std = random.standard_normal(WIDTH), random.uniform(0.5, 2, WIDTH)
    return SpeakerBook(mean.astype(np.float16), std.astype(np.float16))


def saved(path: Path, value: Any, numbers: np.ndarray[Any, Any]) -> str:
    """emb_data of an object that has a tensor with the storage 0."""
    checkpoint(path, value, {"0": numbers.tobytes()})
    return base64.b64encode(path.read_bytes()).decode()


def emb_data(path: Path, numbers: np.ndarray[Any, Any] = VECTOR, kind: str = "FloatStorage") -> str:
    return saved(path, tensor(kind, "0", len(numbers), 0, (len(numbers),), (1,)), numbers)


def base16384(data: bytes) -> str:
    """Bytes as base16384 writes them: 14 bits a character, and the rest of the last group."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    bits = np.concatenate([bits, np.zeros(-len(bits) % 14, np.uint8)])
    values = bits.reshape(-1, 14) @ (1 << np.arange(13, -1, -1))
    rest = len(data) % 7
    return "".join(chr(0x4E00 + value) for value in values) + (chr(0x3D00 + rest) if rest else "")


def string(numbers: np.ndarray[Any, Any]) -> str:
    """A speaker's string as ChatTTS makes it."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    return base16384(lzma.compress(numbers.astype("<f2").tobytes(), lzma.FORMAT_RAW, filters=filters))


def direction(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return numbers / np.linalg.norm(numbers)


@pytest.mark.parametrize(("kind", "type"), [("FloatStorage", np.float32), ("HalfStorage", np.float16)])
def test_emb_data_is_a_vector(book: SpeakerBook, tmp_path: Path, kind: str, type: type[np.generic]) -> None:
    data = emb_data(tmp_path / "s.pt", VECTOR.astype(type), kind)
    assert len(data) > 400
    wrapped = "\n".join(data[n : n + 76] for n in range(0, len(data), 76))
    for text in (data, wrapped):
        np.testing.assert_allclose(book.vector(NamedVoice(text)), direction(VECTOR.astype(type)), rtol=1e-3)


def test_chattts_s_own_string_is_a_vector(book: SpeakerBook) -> None:
    text = string(VECTOR)
    assert is_speaker_string(text) and len(text) > 700
    rounded = VECTOR.astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(book.vector(NamedVoice(text)), direction(rounded), rtol=1e-5)


@pytest.mark.parametrize("count", range(1, 16))
def test_base16384_of_any_length(count: int) -> None:
    data = bytes(range(200, 200 + count))
    assert from_base16384(base16384(data)) == data


def test_each_name_is_a_speaker_of_its_own(book: SpeakerBook) -> None:
    names = ("", "echo", "Echo", "小明")
    found = [book.vector(NamedVoice(name)) for name in names]
    for place, one in enumerate(found):
        assert np.linalg.norm(one) == pytest.approx(1)
        assert np.array_equal(one, book.vector(NamedVoice(names[place])))
        assert not any(np.allclose(one, other) for other in found[:place])
    assert np.array_equal(book.vector(None), found[0])


@pytest.mark.parametrize(
    ("text", "hash"),
    [("", 0x02CC5D05), ("a", 0x550D7456), ("abc", 0x32D153FF), ("abcdefghijklmnopqrstuvwxyz0123456789", 0x42AE804D)],
)
def test_names_are_hashed_by_xxh32(text: str, hash: int) -> None:
    assert xxh32(text.encode()) == hash


def refused(book: SpeakerBook, text: str) -> str:
    with pytest.raises(UnknownVoice) as caught:
        book.vector(NamedVoice(text))
    return str(caught.value)


def test_what_is_no_speaker_says_why(book: SpeakerBook, tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    assert "it has 700 numbers, not 768" in refused(book, emb_data(path, VECTOR[:700]))
    assert "it is no tensor of numbers" in refused(book, emb_data(path, np.arange(WIDTH), "LongStorage"))
    assert "no direction" in refused(book, emb_data(path, 0 * VECTOR))
    assert "no direction" in refused(book, emb_data(path, VECTOR + np.float32(np.nan)))
    assert "File is not a zip file" in refused(book, base64.b64encode(bytes(900)).decode())
    assert "it has 1400 bytes, not 1536" in refused(book, string(VECTOR[:700]))
    assert "its last group is not whole" in refused(book, "一" * 401)
    assert refused(book, "y!" * 300).startswith("the voice has 600 characters, so it should be emb_data (base64 of")


def test_emb_data_runs_no_code_and_fills_no_memory(book: SpeakerBook, tmp_path: Path) -> None:
    path = tmp_path / "s.pt"
    evil = saved(path, Global("os", "system", f"touch {tmp_path}/run" + " " * 400), VECTOR)
    assert "it asks for os.system" in refused(book, evil) and not (tmp_path / "run").exists()
    assert "it is too large" in refused(book, emb_data(path, np.zeros(1 << 15, np.float32)))
    bomb = lzma.compress(bytes(1 << 24), lzma.FORMAT_RAW, filters=PACKED)
    assert "it has 1537 bytes, not 1536" in refused(book, base16384(bomb))
