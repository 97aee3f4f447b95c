"""Recordings of several requests, cut into clips of speech that are recognised together.

It is what `Batched` does for networks that read a whole clip at once; FSMN-VAD finds the speech. A step is a slice of
one of these: find clips, recognise clips, write what was recognised.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from speechmlx import languages
from speechmlx.audio import loudness_vad
from speechmlx.engines.parts.fbank import RATE
from speechmlx.engines.parts.fsmn_vad import FsmnNetwork, speech_segments
from speechmlx.engines.parts.pace import LayerPace
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import Event, Request, Transcribe, Usage

if TYPE_CHECKING:
    from speechmlx.types import Samples

MAX_BATCH = 8
"""Clips that are recognised together, and that are found ahead for one request."""
MOST_FRAMES = 1200
"""Frames of a batch of clips, with what they are filled up with; a longer clip is recognised alone."""
UNSEEN = 30.0
"""Seconds of a clip at most, where speech is not searched for."""

Span = tuple[float, float]
Result = TypeVar("Result")


@dataclass(eq=False)
class SpeechClip(Generic[Result]):
    """A stretch of a recording: its place in seconds, its features [t, n], and what was recognised in it."""

    request: Transcribe
    start: float
    end: float
    features: Samples
    result: Result | None = None


class ClipNetwork(Protocol[Result]):
    """A network that recognises whole clips."""

    def recognise(
        self, clips: Sequence[SpeechClip[Result]], pace: LayerPace
    ) -> Generator[None, None, Sequence[Result]]:
        """What is said in each clip, all in one batch. Each `next()` is a step."""


class ClipWriter(Protocol[Result]):
    """Makes the events of one request. None ends a step."""

    def write(self, clip: SpeechClip[Result]) -> Iterator[Event | None]:
        """Take the next clip with its result, in the order of the recording."""

    def close(self) -> Iterator[Event | None]:
        """What is left once all clips were taken."""


class RecordingState(Generic[Result]):
    """One request: the clips that were found and are not written yet, in order."""

    def __init__(
        self, request: Transcribe, finding: Iterator[SpeechClip[Result] | None], writer: ClipWriter[Result]
    ) -> None:
        self.finished = False
        self.clips: deque[SpeechClip[Result]] = deque()
        self._request = request
        self._writer = writer
        self._finding: Iterator[SpeechClip[Result] | None] | None = finding
        self._writing: Iterator[Event | None] | None = None

    @property
    def can_write(self) -> bool:
        """Whether there is something to write: a clip that was recognised, or the end."""
        if self._writing is not None or not self.clips:
            return self._writing is not None or self._finding is None
        return self.clips[0].result is not None

    @property
    def wants_clips(self) -> bool:
        """Whether so little was found ahead that the search goes on."""
        frames = sum(len(clip.features) for clip in self.clips)
        return self._finding is not None and len(self.clips) < MAX_BATCH and frames < MOST_FRAMES

    def find(self) -> list[Event]:
        """Search the next slice of the recording. It has no events."""
        assert self._finding is not None
        try:
            clip = next(self._finding)
        except StopIteration:
            self._finding = None
        else:
            self.clips.extend([] if clip is None else [clip])
        return []

    def write(self) -> list[Event]:
        """The next events, up to the end of a step."""
        if self._writing is None:
            self._writing = self._writer.write(self.clips.popleft()) if self.clips else self._close()
        events: list[Event] = []
        for event in self._writing:
            if event is None:
                return events
            events.append(event)
        self._writing = None
        return events

    def _close(self) -> Iterator[Event | None]:
        yield from self._writer.close()
        yield Usage(audio_in=self._request.audio.duration)
        self.finished = True


class RecordingBatch(Generic[Result]):
    """The open requests of one model, as `Batched`."""

    def __init__(self, network: ClipNetwork[Result]) -> None:
        self.pace = LayerPace()
        self._network = network
        self._states: list[RecordingState[Result]] = []
        self._under_way: list[SpeechClip[Result]] = []
        self._passing: Generator[None, None, Sequence[Result]] | None = None

    def begin(self, state: RecordingState[Result]) -> RecordingState[Result]:
        self._states.append(state)
        return state

    def step(self, states: Sequence[RecordingState[Result]]) -> list[list[Event | Exception]]:
        """Write for each state that can; else recognise, or search for clips. An error in one state ends it alone."""
        if any(state.can_write for state in states):
            return [_guarded(state, state.write) if state.can_write else [] for state in states]
        if self._passing is None:
            searching = next((state for state in states if state.wants_clips), None)
            if searching is not None:
                return [_guarded(state, state.find) if state is searching else [] for state in states]
            self._start(states)
        self._advance()
        return [[] for _ in states]

    def end(self, state: RecordingState[Result]) -> None:
        """Forget a request. A pass over clips of it alone is given up."""
        self._states.remove(state)
        wanted = {id(clip) for other in self._states for clip in other.clips}
        if wanted.isdisjoint(map(id, self._under_way)):
            self._stop()

    def _start(self, states: Iterable[RecordingState[Result]]) -> None:
        """Begin to recognise the first clip that waits, and others of about its length."""
        waiting = [clip for state in states for clip in state.clips if clip.result is None]
        length = len(waiting[0].features)
        waiting.sort(key=lambda clip: abs(len(clip.features) - length))
        for clip in waiting[:MAX_BATCH]:
            longest = max(len(other.features) for other in [clip, *self._under_way])
            if self._under_way and longest * (len(self._under_way) + 1) > MOST_FRAMES:
                break
            self._under_way.append(clip)
        self._passing = self._network.recognise(self._under_way, self.pace)

    def _advance(self) -> None:
        assert self._passing is not None
        try:
            next(self._passing)
        except StopIteration as done:
            for clip, result in zip(self._under_way, done.value, strict=True):
                clip.result = result
            self._stop()
        except Exception:
            self._stop()
            raise

    def _stop(self) -> None:
        if self._passing is not None:
            self._passing.close()
        self._passing, self._under_way = None, []


def _guarded(state: RecordingState[Result], work: Callable[[], Sequence[Event]]) -> list[Event | Exception]:
    """The events of `work`. An error ends the state."""
    try:
        return [*work()]
    except Exception as error:
        state.finished = True
        return [error]


def accepted(request: Request, name: str, known: Sequence[str]) -> Transcribe:
    """The request, if the model `name`, which hears `known` languages, can do it. Raises BadRequest, Unsupported."""
    if not isinstance(request, Transcribe):
        raise Unsupported(f"{name} recognises recordings; it cannot {type(request).__name__.lower()}")
    if request.audio.rate != RATE:
        raise BadRequest(f"{name} hears audio at {RATE} Hz, not {request.audio.rate}")
    if request.task != "transcribe":
        raise Unsupported(f"{name} does not translate; it writes what is said")
    if request.language is not None and languages.code(request.language) not in known:
        raise Unsupported(f"language {request.language!r:.60} is none of {name}'s: {', '.join(known)}")
    return request


def find_clips(
    request: Transcribe, vad: FsmnNetwork, features: Callable[[Samples], Samples], join: float = 0.0
) -> Iterator[SpeechClip[Result] | None]:
    """The clips of a recording that have speech, in order; None ends a step.

    Segments that follow each other are one clip while they come to `join` seconds at most. All of the recording of a
    request without `vad` is recognised, cut where it is quiet.
    """
    samples = request.audio.samples
    for span in joined(speech_segments(vad, samples), join) if request.vad else _everything(request):
        if span is None:
            yield None
            continue
        for start, end in loudness_vad.inside([span], request.clips):
            cut = samples[round(start * RATE) : round(end * RATE)]
            if len(cut):
                yield SpeechClip(request, start, min(end, request.audio.duration), features(cut))


def _everything(request: Transcribe) -> Iterator[Span | None]:
    level = loudness_vad.levels(request.audio.samples, RATE)
    yield from loudness_vad.windows([(0.0, request.audio.duration)], level, UNSEEN)


def joined(spans: Iterable[Span | None], longest: float) -> Iterator[Span | None]:
    """Spans in order, those that follow each other as one, up to `longest` seconds. None passes as it comes."""
    held: Span | None = None
    for span in spans:
        if span is None:
            yield None
        elif held is not None and span[1] - held[0] <= longest:
            held = held[0], span[1]
        else:
            if held is not None:
                yield held
            held = span
    if held is not None:
        yield held
