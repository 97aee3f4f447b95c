"""What clients ask for: the data of their events, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from wyoming.event import Event

from speechmlx.audio.live_format import AudioFormat
from speechmlx.errors import BadRequest, Unsupported

T = TypeVar("T")

RATES = (4000, 192000)
"""Lowest and highest sample rate in Hz."""
MAX_CHANNELS = 16
MAX_KEYWORDS = 1000
"""Names and terms that count; recognisers have room for far fewer."""


@dataclass(frozen=True)
class RecognitionRequest:
    """`transcribe`: the model, the language (None: detected) and the words that are likely to be said."""

    model: str | None = None
    language: str | None = None
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class SampleFormat:
    """`audio-start`, and the data of `audio-chunk`: interleaved little-endian samples of `width` bytes at `rate` Hz.

    Samples of one byte are unsigned, as in WAV files.
    """

    rate: int = 16000
    width: int = 2
    channels: int = 1

    @property
    def as_live(self) -> AudioFormat:
        """The format of what `WidthConverter` makes of such samples."""
        return AudioFormat("pcm16" if self.width <= 2 else "int32", self.rate, self.channels)


@dataclass(frozen=True)
class VoiceRequest:
    """The voice of `synthesize` and `synthesize-start`: its name counts before its language."""

    name: str | None = None
    language: str | None = None
    speaker: str | None = None


def recognition_request(event: Event) -> RecognitionRequest:
    """The request of a `transcribe`. Raises BadRequest."""
    names = _field(event, "transcript_names", list, []) + _field(event, "transcript_terms", list, [])
    if not all(isinstance(name, str) for name in names):
        raise BadRequest(f"{event.type}: transcript_names and transcript_terms are lists of text")
    keywords = dict.fromkeys(name.strip() for name in names if name.strip())
    return RecognitionRequest(_text(event, "name"), _text(event, "language"), tuple(keywords)[:MAX_KEYWORDS])


def sample_format(event: Event, default: SampleFormat | None = None) -> SampleFormat:
    """The format of an `audio-start` or `audio-chunk`, `default` where it has none at all. Raises BadRequest."""
    rate, width, channels = (_field(event, name, int, None) for name in ("rate", "width", "channels"))
    if default is not None and rate is width is channels is None:
        return default
    lowest, highest = RATES
    if rate is None or not lowest <= rate <= highest:
        raise BadRequest(f"{event.type}: rate is {rate}; allowed is {lowest} to {highest} Hz")
    if width is None or not 1 <= width <= 4:
        raise BadRequest(f"{event.type}: width is {width}; allowed is 1 to 4 bytes")
    if channels is None or not 1 <= channels <= MAX_CHANNELS:
        raise BadRequest(f"{event.type}: channels is {channels}; allowed is 1 to {MAX_CHANNELS}")
    return SampleFormat(rate, width, channels)


def voice_request(event: Event) -> VoiceRequest:
    """The voice of a `synthesize` or `synthesize-start`. Raises BadRequest, and Unsupported for SSML in pieces."""
    allowed = ("text", "ssml") if event.type == "synthesize" else ("text",)
    if (format := _text(event, "text_format")) not in (None, *allowed):
        raise Unsupported(f"{event.type}: text_format is {format!r:.80}; allowed is {' or '.join(allowed)}")
    voice = Event(f"{event.type}: voice", _field(event, "voice", dict, {}))
    return VoiceRequest(_text(voice, "name"), _text(voice, "language"), _text(voice, "speaker"))


def spoken_text(event: Event) -> str:
    """The text of a `synthesize` or `synthesize-chunk`, as it is. Raises BadRequest."""
    text: str | None = _field(event, "text", str, None)
    if text is None:
        raise BadRequest(f"{event.type} needs a text")
    return text


def program_name(event: Event) -> str | None:
    """The name of a `select-program`. Raises BadRequest."""
    return _text(event, "name")


class WidthConverter:
    """Samples of 1 to 4 bytes → samples of 2 or 4, which a session takes. A sample may be cut in two."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._cut = b""

    def push(self, data: bytes) -> bytes:
        """The next bytes, converted. Of three bytes, whole samples are given."""
        if self._width not in (1, 3):
            return data
        import numpy as np

        if self._width == 1:
            samples = (np.frombuffer(data, np.uint8).astype(np.int16) - 128) * 256
            return bytes(samples.astype("<i2").tobytes())
        data = self._cut + data
        whole = len(data) // 3 * 3
        data, self._cut = data[:whole], data[whole:]
        wide = np.zeros((whole // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return wide.tobytes()


def _text(event: Event, name: str) -> str | None:
    """A field of text; None where it is missing or blank."""
    value = _field(event, name, str, None)
    return value.strip() or None if value is not None else None


def _field(event: Event, name: str, type_: type[T], default: Any) -> Any:
    """A field of the data, or `default` where it is missing or null. Raises BadRequest."""
    value = event.data.get(name)
    if value is None:
        return default
    if not isinstance(value, type_) or isinstance(value, bool):
        kinds = {str: "text", int: "a whole number", list: "a list", dict: "an object"}
        raise BadRequest(f"{event.type}: {name} is {value!r:.80}; allowed is {kinds[type_]}")
    return value
