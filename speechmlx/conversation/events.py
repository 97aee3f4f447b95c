"""What a session says. Times are float seconds of audio since its first sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from speechmlx.conversation.input.transcription import Transcript, TranscriptUpdate
from speechmlx.conversation.items.item import Item
from speechmlx.conversation.settings import Answering
from speechmlx.errors import SpeechError


@dataclass(frozen=True)
class Configured:
    """The settings count from here on; `note` is that of the command."""

    note: object = None


@dataclass(frozen=True)
class SpeechStarted:
    item: str
    at: float
    """Where the turn's audio begins: the first speech less the prefix."""


@dataclass(frozen=True)
class SpeechPaused:
    """Silence from `since` to `at`: the turn may be over."""

    item: str
    since: float
    at: float


@dataclass(frozen=True)
class SpeechResumed:
    """The turn goes on after a SpeechPaused."""

    item: str


@dataclass(frozen=True)
class SpeechStopped:
    item: str
    at: float


@dataclass(frozen=True)
class IdleTimedOut:
    item: str
    start: float
    end: float


@dataclass(frozen=True)
class Committed:
    item: str
    before: str | None


@dataclass(frozen=True)
class Cleared:
    """The audio that waited was dropped."""


@dataclass(frozen=True)
class Flushed:
    """Every word up to the Flush was committed."""


@dataclass(frozen=True)
class ItemAdded:
    """`done`: nothing more will come to it."""

    item: Item
    before: str | None
    done: bool = True


@dataclass(frozen=True)
class ItemRetrieved:
    item: Item


@dataclass(frozen=True)
class ItemDeleted:
    id: str


@dataclass(frozen=True)
class ItemTruncated:
    id: str
    at: float


@dataclass(frozen=True)
class TranscriptDelta:
    """More of a turn's transcript. What is committed is never taken back; the tail replaces the tail before."""

    item: str
    update: TranscriptUpdate
    part: int = 0
    """Which part of the item it is."""


@dataclass(frozen=True)
class TranscriptDone:
    """The transcript of a turn of `seconds`. It counts where it differs from the deltas."""

    item: str
    transcript: Transcript
    seconds: float
    part: int = 0
    with_logprobs: bool = False
    """Whether the client asked for log-probabilities."""


@dataclass(frozen=True)
class TranscriptFailed:
    item: str
    error: SpeechError
    part: int = 0


@dataclass(frozen=True)
class Cost:
    """Of one response: tokens and seconds of audio, in and out."""

    tokens_in: int = 0
    tokens_out: int = 0
    audio_in: float = 0.0
    audio_out: float = 0.0


@dataclass(frozen=True)
class Stages:
    """Wall-clock seconds from the end of speech (or, without speech, the request) to each; None where it never came."""

    transcript: float | None = None
    first_token: float | None = None
    first_audio: float | None = None
    total: float | None = None


@dataclass(frozen=True, kw_only=True)
class Response:
    """A response as it is at the moment of the event."""

    id: str
    answering: Answering
    out_of_band: bool = False
    status: Literal["in_progress", "completed", "cancelled", "incomplete", "failed"] = "in_progress"
    reason: str | None = None
    error: SpeechError | None = None
    items: tuple[Item, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    cost: Cost | None = None
    stages: Stages = Stages()


@dataclass(frozen=True)
class ResponseStarted:
    response: Response


@dataclass(frozen=True)
class ResponseDone:
    response: Response


@dataclass(frozen=True)
class OutputStarted:
    """Item number `index` of a response begins, after `before` in the conversation; `out_of_band`: in none."""

    response: str
    item: Item
    index: int
    before: str | None
    out_of_band: bool
    spoken: bool


@dataclass(frozen=True)
class OutputText:
    """More of a message's text, or of the transcript of its audio."""

    response: str
    item: str
    index: int
    text: str
    spoken: bool


@dataclass(frozen=True)
class OutputAudio:
    """More of a message's audio, in the format that the response has."""

    response: str
    item: str
    index: int
    audio: bytes


@dataclass(frozen=True)
class OutputArguments:
    """More of a function call's arguments."""

    response: str
    item: str
    index: int
    call_id: str
    text: str


@dataclass(frozen=True)
class OutputDone:
    response: str
    item: Item
    index: int
    before: str | None
    out_of_band: bool
    spoken: bool


@dataclass(frozen=True)
class Failed:
    """What the client asked for did not happen, or the server failed; the session goes on.

    `code` says more than the error's own where a wire has a name for the situation.
    """

    error: SpeechError
    code: str
    param: str | None = None
    ref: str | None = None


Event = (
    Configured
    | SpeechStarted
    | SpeechPaused
    | SpeechResumed
    | SpeechStopped
    | IdleTimedOut
    | Committed
    | Cleared
    | Flushed
    | ItemAdded
    | ItemRetrieved
    | ItemDeleted
    | ItemTruncated
    | TranscriptDelta
    | TranscriptDone
    | TranscriptFailed
    | ResponseStarted
    | ResponseDone
    | OutputStarted
    | OutputText
    | OutputAudio
    | OutputArguments
    | OutputDone
    | Failed
)
