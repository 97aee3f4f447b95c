"""Requests, commands and events: everything that crosses from a wire to an engine and back.

Frozen, neutral (no wire's words, no engine's words) and picklable. Times are float seconds from the first sample,
samples are mono float32 in [-1, 1], `pcm16` is little-endian signed 16 bit bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]


class Kind(StrEnum):
    """What a model does."""

    ASR = "asr"
    TTS = "tts"
    S2S = "s2s"
    ENHANCE = "enhance"
    VAD = "vad"
    TURN = "turn"
    LLM = "llm"
    DIARIZE = "diarize"


class Priority(IntEnum):
    """Who steps first: a live conversation, a person waiting, a batch of files."""

    REALTIME = 0
    INTERACTIVE = 1
    BULK = 2


@dataclass(frozen=True, slots=True)
class Audio:
    """Mono float32 `samples` [n] at `rate` Hz."""

    samples: Samples
    rate: int

    @property
    def duration(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class NamedVoice:
    """A voice that the model has, by its name; a blend of several where the model mixes voices."""

    name: str


@dataclass(frozen=True, slots=True)
class ReferenceVoice:
    """A voice to imitate: a recording of a person who says `text`. `id` is the same for the same recording."""

    audio: Audio
    text: str
    id: str


Voice = NamedVoice | ReferenceVoice


# --- Requests: what a job is asked to do -------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Request:
    """Common to all: `model` is a catalog name or alias; the runtime fills in the default of the kind."""

    kind: ClassVar[Kind | None] = None
    """None: whatever kind the named model is."""
    streams: ClassVar[bool] = False
    """True: input arrives as `Feed` (audio) or `FeedText` commands until `End`; the engine answers through `open()`."""

    model: str | None = None
    priority: Priority = Priority.INTERACTIVE


@dataclass(frozen=True, kw_only=True)
class Transcribe(Request):
    """Speech in a whole recording → `LanguageDetected`, `Segment`*, `Usage`."""

    kind: ClassVar[Kind | None] = Kind.ASR
    audio: Audio
    language: str | None = None
    """A code of `languages.NAMES`, or any tag or name that `languages.match` reads; None detects."""
    languages: tuple[str, ...] = ()
    """Codes to detect among; empty: all that the model knows."""
    task: Literal["transcribe", "translate"] = "transcribe"
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    prefix: str | None = None
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """Tried in order until a window passes the repetition, log-probability and no-speech checks.

    Where the first is 0 the same request always gives the same words, else they are drawn anew for each.
    """
    beam_size: int = 1
    words: bool = False
    logprobs: bool = False
    """Segments carry the log-probability of each token."""
    condition_on_previous_text: bool = False
    suppress_tokens: tuple[int, ...] = (-1,)
    clips: tuple[tuple[float, float], ...] = ()
    """(start, end) seconds to look at; empty is all."""
    vad: bool = True
    """Decode only what may be speech. False: window after window, as the reference implementation does."""


@dataclass(frozen=True, kw_only=True)
class Listen(Request):
    """Live speech fed in pieces at the model's rate → `Hypothesis`* with each committed word exactly once."""

    kind: ClassVar[Kind | None] = Kind.ASR
    streams: ClassVar[bool] = True
    language: str | None = None
    languages: tuple[str, ...] = ()
    """As in `Transcribe`."""
    task: Literal["transcribe", "translate"] = "transcribe"
    prompt: str | None = None
    policy: Literal["alignatt", "localagreement"] = "alignatt"
    priority: Priority = Priority.REALTIME


@dataclass(frozen=True, kw_only=True)
class Synthesis(Request):
    """How a text is spoken: the fields that `Speak` and `SpeakStream` share."""

    kind: ClassVar[Kind | None] = Kind.TTS
    voice: Voice | None = None
    """None: the model's default."""
    language: str | None = None
    speed: float = 1.0
    instructions: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings only some engines know; an engine refuses the ones it does not."""


@dataclass(frozen=True, kw_only=True)
class Speak(Synthesis):
    """Text → `Chunk`*, sentence by sentence, and `Usage`."""

    text: str


@dataclass(frozen=True, kw_only=True)
class SpeakStream(Synthesis):
    """Text fed in pieces, as a language model writes it → `Chunk`* and `Usage`: one job for a whole answer."""

    streams: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class Respond(Request):
    """A spoken question → its spoken answer: `TextDelta`*, `Chunk`*, `Usage`."""

    kind: ClassVar[Kind | None] = Kind.S2S
    audio: Audio
    voice: Voice | None = None
    """None: the model's default."""
    language: str | None = None
    max_steps: int = 200
    """Length of the answer, in frames of 80 ms."""
    instructions: str | None = None


@dataclass(frozen=True, kw_only=True)
class Enhance(Request):
    """Noisy speech fed at the model's rate → `Chunk`*, as many samples out as in."""

    kind: ClassVar[Kind | None] = Kind.ENHANCE
    streams: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True)
class DetectSpeech(Request):
    """Audio fed at the model's rate → a `Probability` of speech per frame."""

    kind: ClassVar[Kind | None] = Kind.VAD
    streams: ClassVar[bool] = True
    priority: Priority = Priority.REALTIME


@dataclass(frozen=True, kw_only=True)
class DetectTurn(Request):
    """The audio of a turn so far → one `Probability` that the speaker has finished."""

    kind: ClassVar[Kind | None] = Kind.TURN
    audio: Audio
    priority: Priority = Priority.REALTIME


@dataclass(frozen=True, kw_only=True)
class Diarize(Request):
    """Who speaks when in a whole recording → `SpeakerTurn`* and `Usage`."""

    kind: ClassVar[Kind | None] = Kind.DIARIZE
    audio: Audio


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call of one of the client's functions, as an event of `Generate` and in a `Message`."""

    name: str
    arguments: str
    """JSON as the model wrote it, which may be invalid."""
    id: str = ""
    """Pairs the call with its result in a chat; empty in an event, as models know no ids."""


CALL_FRAME = 52
"""Characters that a chat template writes around the name and the arguments of a call: about so many."""


@dataclass(frozen=True)
class Message:
    """One message of a chat: text, or the function call that an assistant made instead of text."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    call_id: str = ""
    """Of a tool's message: the id of the call whose result `content` is."""
    call: FunctionCall | None = None

    @property
    def length(self) -> int:
        """Characters of its text, or about those of its call in a prompt."""
        return len(self.content) + (CALL_FRAME + len(self.call.name) + len(self.call.arguments) if self.call else 0)


@dataclass(frozen=True, kw_only=True)
class Generate(Request):
    """A chat → the next message: `TextDelta`* without reasoning, `FunctionCall`*, and `Usage`.

    `Usage` may come several times; the last one counts.
    """

    kind: ClassVar[Kind | None] = Kind.LLM
    messages: tuple[Message, ...]
    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float | None = None
    seed: int | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    """The functions that the model may call: "name", and "description" and "parameters" (JSON schema) if known."""
    tool_choice: str = "auto"
    """"auto", "required", or the name of the function to call; only remote models know it."""
    drops_oldest: bool = False
    """Leave out the oldest messages of a chat that is longer than the model's context."""


@dataclass(frozen=True, kw_only=True)
class Load(Request):
    """Bring a model into memory; `pin` keeps it there → `Progress`*."""

    model: str
    pin: bool = False
    priority: Priority = Priority.BULK


@dataclass(frozen=True, kw_only=True)
class Unload(Request):
    """Take a model out of memory, running jobs permitting."""

    model: str


# --- Commands: what a running job is told ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Feed:
    """The next `samples` [n] of a streaming request, at the model's rate."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class FeedText:
    """The next piece of a streaming request's text; the pieces are joined as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """No more input: finish what was fed."""


Command = Feed | FeedText | End


# --- Events: what a job says -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Word:
    """One word with its time in the recording and its probability; `text` keeps its leading space."""

    text: str
    start: float
    end: float
    confidence: float
    speaker: str | None = None
    """Who says it; None where speakers are not told apart."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of recognised speech."""

    text: str
    start: float
    end: float
    confidence: float
    """exp(mean token log-probability)."""
    words: tuple[Word, ...] = ()
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_prob: float = 0.0
    logprobs: tuple[tuple[bytes, float], ...] = ()
    """UTF-8 of each text token and its log-probability, where the request asked for them and the model has them."""
    speaker: str | None = None
    """Who says it; None where speakers are not told apart."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Words `committed` since the last one (never changed, each once), and the unsure `tail` (replaced)."""

    committed: tuple[Word, ...]
    tail: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class SpeakerTurn:
    """`speaker` talks from `start` to `end`; the turns of different speakers may overlap."""

    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True)
class LanguageDetected:
    """ISO 639-1 code and its probability (1.0 when the client named it)."""

    language: str
    probability: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next piece of audio out: mono PCM16 at `rate` Hz."""

    pcm16: bytes
    rate: int

    @property
    def duration(self) -> float:
        return len(self.pcm16) / 2 / self.rate


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of generated text, and the number of tokens generated since the last one."""

    text: str
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class Probability:
    """Of speech in (`start`, `end`) for a VAD, of a finished turn at `end` for a turn detector."""

    value: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What the job cost: seconds of audio in and out, tokens read and written."""

    audio_in: float = 0.0
    audio_out: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    cut_off: bool = False
    """The limit of tokens, or the end of the model's context, ended the text."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch or a load is: `done` of `total` (bytes or steps), and of what."""

    stage: Literal["fetch", "convert", "load", "warm_up"]
    done: int
    total: int
    detail: str = ""


Event = (
    Segment
    | Hypothesis
    | SpeakerTurn
    | LanguageDetected
    | Chunk
    | TextDelta
    | FunctionCall
    | Probability
    | Usage
    | Progress
)
