"""Requests: what a job is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from speechmlx.types.events import Checkpoint
from speechmlx.types.values import Audio, Kind, Message, Priority, Pronunciation, SpeakerOptions, Voice

ANY_SPEAKERS = SpeakerOptions()


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
    """Speech in a whole recording → `LanguageDetected`, `Segment`*, `Usage`; with `checkpoints`, `Checkpoint`* too."""

    kind: ClassVar[Kind | None] = Kind.ASR
    audio: Audio
    language: str | None = None
    """A code of `languages.NAMES`, or any tag or name that `languages.match` reads; None detects."""
    languages: tuple[str, ...] = ()
    """Codes to detect among; empty: all that the model knows."""
    task: Literal["transcribe", "translate"] = "transcribe"
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Names of the user's lexicon, which may be said; those that the model has no room for beside the hotwords are left
    out, the last first."""
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
    checkpoints: bool = False
    """Give a `Checkpoint` behind each window, where the model has them."""
    resume: Checkpoint | None = None
    """Go on behind a checkpoint of an earlier, otherwise equal request: what came before it does not come again."""


@dataclass(frozen=True, kw_only=True)
class Align(Request):
    """A recording and what is said in it → one `Segment`, with the time of each word, and `Usage`."""

    kind: ClassVar[Kind | None] = Kind.ALIGN
    audio: Audio
    text: str
    language: str | None = None
    """As in `Transcribe`; None: English, or another language that writes its words apart."""


@dataclass(frozen=True, kw_only=True)
class DetectLanguage(Request):
    """A recording of up to a minute → `LanguageDetected`, if there is speech, and `Usage`."""

    kind: ClassVar[Kind | None] = Kind.LID
    audio: Audio
    vad: bool = True
    """False: whether there is speech or not."""


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
    hotwords: tuple[str, ...] = ()
    """Names and terms that are likely to be said. Those that the model has no room for are left out, the last first."""
    names: tuple[str, ...] = ()
    """As in `Transcribe`."""
    policy: Literal["alignatt", "localagreement"] = "alignatt"
    """How a recogniser that hears the last seconds again commits words; others have no choice."""
    delay: float | None = None
    """Seconds for which a recogniser that looks ahead waits before it gives a word, the nearest that it can.

    Others have no choice. None: its own.
    """
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
    pronunciations: tuple[Pronunciation, ...] = ()
    """How some words are said; the first for a word counts. The runtime adds those of the user's lexicon."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings only some engines know; an engine refuses the ones it does not."""


@dataclass(frozen=True, kw_only=True)
class Speak(Synthesis):
    """Text → `Chunk`*, sentence by sentence, and `Usage`. Text without a word, such as "…", is a short silence.

    A model that knows when it says each word gives `WordTimes` before the chunks.
    """

    text: str


@dataclass(frozen=True, kw_only=True)
class SpeakStream(Synthesis):
    """Text fed in pieces, as a language model writes it → the events of `Speak`: one job for a whole answer.

    A model whose row `streams_text` also takes `FlushText`.
    """

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
class Converse(Request):
    """Live speech fed at the model's rate, to a model that hears and speaks at once → `TextDelta`*, `Chunk`*, `Usage`.

    For each frame heard there is a chunk of what the model says meanwhile, silence included.
    """

    kind: ClassVar[Kind | None] = Kind.S2S
    streams: ClassVar[bool] = True
    voice: Voice | None = None
    """None: the model's default."""
    language: str | None = None
    instructions: str | None = None
    priority: Priority = Priority.REALTIME


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
class Diarization(Request):
    """What `Diarize` and `DiarizeStream` share."""

    kind: ClassVar[Kind | None] = Kind.DIARIZE
    speakers: SpeakerOptions = ANY_SPEAKERS


@dataclass(frozen=True, kw_only=True)
class Diarize(Diarization):
    """Who speaks when in a whole recording → `SpeakerTurn`* and `Usage`."""

    audio: Audio


@dataclass(frozen=True, kw_only=True)
class DiarizeStream(Diarization):
    """Live speech fed in pieces at the model's rate → `SpeakerTurn`*, which follow each other without gaps.

    Where nobody speaks the turn's `speaker` is "". The end of the last turn is the time up to which speakers are known.
    """

    streams: ClassVar[bool] = True
    priority: Priority = Priority.REALTIME


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
