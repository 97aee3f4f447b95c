"""The events of a session. Times are float seconds of audio since its first sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from speechmlx.conversation.input.transcript import Transcript, TranscriptUpdate
from speechmlx.conversation.items.item import Item
from speechmlx.conversation.settings import Answering
from speechmlx.errors import SpeechError


@dataclass(frozen=True)
class Configured:
    """The new settings are in use. `note` is that of the Configure command."""

    note: object = None


@dataclass(frozen=True)
class Advanced:
    """How far the session is. Comes while audio does and at the very end, where the settings ask for `progress`."""

    at: float
    """The audio up to here is searched for speech."""
    transcribed: float
    """The audio up to here is searched for words."""
    received: float
    """The audio up to here has come."""
    in_turn: bool
    """Whether a turn is under way."""


@dataclass(frozen=True)
class Settled:
    """What is done, with what the next event tells. For who keeps a session; clients get nothing of it.

    The commands up to the Mark `number` are carried out.
    """

    number: int
    at: float
    """No turn that begins before is under way, may still begin or waits for its transcript."""
    items: tuple[str, ...] = ()
    """The turns that begin later and have begun, in order."""


@dataclass(frozen=True)
class SpeechStarted:
    """A person begins to speak: the turn `item` starts."""

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
    """The turn `item` is over. Its audio ends at `at`."""

    item: str
    at: float


@dataclass(frozen=True)
class IdleTimedOut:
    """Nobody spoke from `start` to `end`, after an answer was played. That silence becomes the turn `item`."""

    item: str
    start: float
    end: float


@dataclass(frozen=True)
class Committed:
    """The turn `item` is complete. `before`: the id of the item before it."""

    item: str
    before: str | None


@dataclass(frozen=True)
class Cleared:
    """The audio that was not committed is dropped."""


@dataclass(frozen=True)
class Flushed:
    """Every word of the audio up to the Flush is committed."""


@dataclass(frozen=True)
class ItemAdded:
    """An item is in the conversation, after the item `before`. `done`: it is complete."""

    item: Item
    before: str | None
    done: bool = True


@dataclass(frozen=True)
class ItemRetrieved:
    """The item of a RetrieveItem, with its audio at 24 kHz."""

    item: Item


@dataclass(frozen=True)
class ItemDeleted:
    """The item `id` is out of the conversation."""

    id: str


@dataclass(frozen=True)
class ItemTruncated:
    """The spoken answer `id` is cut to its first `at` seconds."""

    id: str
    at: float


@dataclass(frozen=True)
class TranscriptDelta:
    """More of a turn's transcript. Committed words stay. The tail replaces the tail before."""

    item: str
    update: TranscriptUpdate
    part: int = 0
    """Index of the item's part."""


@dataclass(frozen=True)
class TranscriptDone:
    """The transcript of a turn of `seconds`. It replaces the deltas where it differs."""

    item: str
    transcript: Transcript
    seconds: float
    part: int = 0
    with_logprobs: bool = False
    """Whether the client asked for log-probabilities."""


@dataclass(frozen=True)
class TranscriptFailed:
    """A turn, or part `part` of an item, could not be transcribed."""

    item: str
    error: SpeechError
    part: int = 0


@dataclass(frozen=True)
class TranslationDone:
    """The transcript of a turn in another `language` (ISO 639-1). Comes after its TranscriptDone, in order of turns."""

    item: str
    text: str
    language: str


@dataclass(frozen=True)
class TranslationFailed:
    """A turn could not be translated. Its transcript counts as before."""

    item: str
    error: SpeechError


@dataclass(frozen=True)
class Cost:
    """The usage of one response: tokens and seconds of audio, in and out."""

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
    """The state of a response at the moment of the event."""

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
    """A response begins."""

    response: Response


@dataclass(frozen=True)
class ResponseDone:
    """A response is over; its `status` says how."""

    response: Response


@dataclass(frozen=True)
class OutputStarted:
    """Item number `index` of a response begins, after `before` in the conversation. `out_of_band`: it is in none."""

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
    """More of a message's audio, in the format of the response."""

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
    """Item number `index` of a response is complete."""

    response: str
    item: Item
    index: int
    before: str | None
    out_of_band: bool
    spoken: bool


@dataclass(frozen=True)
class Failed:
    """A command was refused, or the server failed. The session goes on.

    `code` is the error's own, or a wire's more exact one. `ref` is that of the command.
    """

    error: SpeechError
    code: str
    param: str | None = None
    ref: str | None = None


@dataclass(frozen=True)
class OnChannel:
    """An event of channel number `channel` of a stream whose channels are transcribed one by one."""

    channel: int
    event: Event


Event = (
    Configured
    | Advanced
    | Settled
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
    | TranslationDone
    | TranslationFailed
    | ResponseStarted
    | ResponseDone
    | OutputStarted
    | OutputText
    | OutputAudio
    | OutputArguments
    | OutputDone
    | Failed
    | OnChannel
)
