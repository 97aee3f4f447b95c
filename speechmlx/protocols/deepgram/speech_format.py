"""How speech is written: the encodings, containers and rates of /v1/speak that go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.options import choice, integer, text, value

if TYPE_CHECKING:
    from speechmlx.audio.codecs import StreamEncoder
    from speechmlx.audio.live_format import AudioFormat

NAMES: Mapping[str, Any] = {"linear16": "pcm16", "mulaw": "ulaw", "alaw": "alaw"}
"""Encodings without a header → those of AudioFormat."""


@dataclass(frozen=True)
class Choices:
    """What goes with one encoding; the first of each is the default. Rates are in Hz, bit rates in bits per second."""

    containers: tuple[str, ...]
    rates: tuple[int, ...]
    bit_rates: tuple[int, ...] = ()
    """(): no bit rate can be chosen."""
    bit_range: tuple[int, int] | None = None
    """Lowest and highest bit rate, where any between them goes."""


SAMPLE_RATES = (24000, 8000, 16000, 32000, 48000)
TELEPHONE_RATES = (8000, 16000)
ENCODINGS = {
    "mp3": Choices(("none",), (22050,), (48_000, 32_000)),
    "linear16": Choices(("wav", "none"), SAMPLE_RATES),
    "flac": Choices(("none",), (48000, 8000, 16000, 22050, 32000)),
    "mulaw": Choices(("wav", "none"), TELEPHONE_RATES),
    "alaw": Choices(("wav", "none"), TELEPHONE_RATES),
    "opus": Choices(("ogg",), (48000,), (12_000,), (4_000, 650_000)),
    "aac": Choices(("none",), (22050,), (48_000,), (4_000, 192_000)),
}
MEDIA_TYPES = {"mp3": "audio/mpeg", "flac": "audio/flac", "opus": "audio/ogg", "aac": "audio/aac"}


@dataclass(frozen=True)
class SpeechFormat:
    """How the speech of one answer is written."""

    encoding: str
    container: str
    rate: int
    bit_rate: int | None = None

    @property
    def media_type(self) -> str:
        if self.container == "wav":
            return "audio/wav"
        kind = "l16" if self.encoding == "linear16" else self.encoding
        return MEDIA_TYPES.get(self.encoding, f"audio/{kind};rate={self.rate};channels=1")

    def build_encoder(self, rate: int) -> StreamEncoder:
        """A new encoder of mono PCM16 at `rate` Hz. It imports numpy and FFmpeg: call it on a thread."""
        from speechmlx.audio.codecs import SampleEncoder, encoder
        from speechmlx.audio.live_format import AudioFormat

        if self.encoding in NAMES:
            return SampleEncoder(rate, AudioFormat(NAMES[self.encoding], self.rate), self.container == "wav")
        return encoder(self.encoding, rate, self.rate, self.bit_rate)


def speech_format(query: Mapping[str, Any]) -> SpeechFormat:
    """The format that a query of POST /v1/speak asks for. Raises BadRequest for what does not go together."""
    encoding = choice(query, "encoding", tuple(ENCODINGS))
    choices = ENCODINGS[encoding]
    container = (text(query, "container") or choices.containers[0]).strip().lower()
    if container not in choices.containers:
        raise _mismatch("container", encoding, choices.containers, container)
    return SpeechFormat(encoding, container, _rate(query, encoding, choices.rates), _bit_rate(query, encoding, choices))


def live_format(query: Mapping[str, Any]) -> AudioFormat:
    """The format that a query of the WebSocket asks for: samples without a header. Raises BadRequest."""
    from speechmlx.audio.live_format import AudioFormat

    encoding = choice(query, "encoding", tuple(NAMES))
    choice(query, "container", ("none",))
    return AudioFormat(NAMES[encoding], _rate(query, encoding, SAMPLE_RATES))


def _rate(query: Mapping[str, Any], encoding: str, rates: tuple[int, ...]) -> int:
    found = integer(query, "sample_rate", rates[0], 1, 1_000_000)
    if found not in rates:
        raise _mismatch("sample_rate", encoding, rates, found)
    return found


def _bit_rate(query: Mapping[str, Any], encoding: str, choices: Choices) -> int | None:
    if not choices.bit_rates:
        if value(query, "bit_rate") is not None:
            raise BadRequest(f"'bit_rate' does not go with encoding={encoding}: leave it out")
        return None
    found = integer(query, "bit_rate", choices.bit_rates[0], 1, 1_000_000)
    if choices.bit_range is None:
        if found not in choices.bit_rates:
            raise _mismatch("bit_rate", encoding, choices.bit_rates, found)
    elif not choices.bit_range[0] <= found <= choices.bit_range[1]:
        low, high = choices.bit_range
        raise BadRequest(f"'bit_rate' with encoding={encoding} must be from {low} to {high}, not {found}")
    return found


def _mismatch(name: str, encoding: str, allowed: tuple[Any, ...], found: Any) -> BadRequest:
    listed = ", ".join(map(str, sorted(allowed)))
    return BadRequest(f"{name!r} with encoding={encoding} must be one of {listed}, not {found!r:.80}")
