"""A job inside the engine process: its window, its place in time, and the three ways an engine does its work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from speechmlx.engines import Batched, Engine, Running, State, Steps, Stream, Streaming, TextStream
from speechmlx.errors import EngineFailed, SpeechError, Unsupported
from speechmlx.runtime.ipc.messages import OUTPUT_WINDOW, Ended, Failure, InputConsumed, Output, Start
from speechmlx.runtime.worker.scheduler import Candidate
from speechmlx.types import Chunk, Command, End, Event, Feed, FeedText, Kind, Load, Progress

Post = Callable[[object], None]

LEAD = 4.0
"""Seconds of sound that a listener should have ahead."""


class Work(Protocol):
    """An engine at work on one task."""

    @property
    def runnable(self) -> bool: ...

    def step(self, task: Task) -> bool:
        """One bounded piece; False when there is nothing more to do, ever."""

    def close(self) -> None: ...


class Task:
    """One job: what it was asked, what it said, how long it stepped. Times are of one monotonic clock."""

    def __init__(self, start: Start, clock: Callable[[], float], post: Post) -> None:
        self.id = start.job
        self.request = start.request
        self.model = start.model
        self.inbox: deque[Command] = deque()
        self.work: Work | None = None
        self.cancelled = False
        self.waiting_since = self._arrived = clock()
        self._clock = clock
        self._post = post
        self._posted = 0
        self._taken = 0
        self._stepped = 0.0
        self._first_audio: float | None = None
        self._audio = 0.0

    @property
    def due(self) -> float:
        """When it should step next, to compare with others.

        A task that makes audio is due when it arrived until its first audio is out (the first listener is served
        first, whole), then when its listener would run dry. Any other task is due by the time it has had: a fair
        share for those that came together, no waiting behind a long one for a newcomer. A language model has LEAD
        more, so that it does not keep the synthesis of its last words waiting for words that are not needed yet.
        """
        if self._first_audio is not None:
            return self._first_audio + self._audio
        if self.request.kind == Kind.TTS:
            return self._arrived
        return self._arrived + self._stepped + (LEAD if self.request.kind == Kind.LLM else 0.0)

    @property
    def runnable(self) -> bool:
        reader_behind = self._posted - self._taken >= OUTPUT_WINDOW
        return not reader_behind and (self.work is None or self.work.runnable)

    def candidate(self, loaded: bool, max_batch: int) -> Candidate:
        """How the scheduler sees it; `max_batch` is the seats of its engine, 0 when that has none."""
        batched = max_batch > 0 and not self.request.streams and not isinstance(self.request, Load)
        return Candidate(
            id=self.id,
            priority=self.request.priority,
            due=self.due,
            waiting_since=self.waiting_since,
            runnable=loaded and self.runnable,
            cancelled=self.cancelled,
            batch=self.model.name if batched else None,
            max_batch=max_batch,
        )

    def say(self, event: Event) -> None:
        """Post an event. Progress does not count against the reader's window: it may be dropped."""
        if not isinstance(event, Progress):
            self._posted += 1
        if isinstance(event, Chunk):
            if self._first_audio is None:
                self._first_audio = self._clock()
            self._audio += event.duration
        self._post(Output(self.id, event))

    def taken(self, count: int) -> None:
        self._taken += count

    def stepped(self, seconds: float) -> None:
        self._stepped += seconds
        self.waiting_since = self._clock()

    def next_command(self) -> Command | None:
        """The oldest command not yet used; the front may then send one more."""
        if not self.inbox:
            return None
        command = self.inbox.popleft()
        self._post(InputConsumed(self.id, 1))
        return command

    def end(self, error: Exception | None = None) -> None:
        """Free the work, then tell the front. An error in freeing counts when there was none before."""
        try:
            if self.work is not None:
                self.work.close()
        except Exception as closing:
            error = error or closing
        finally:
            self.work = None
            self._post(Ended(self.id, failure(error, self.model.name) if error else None))


def failure(error: Exception, model: str) -> Failure:
    """An error as the front may see it: SpeechErrors as they are, anything else as `engine_failed`."""
    if not isinstance(error, SpeechError):
        error = EngineFailed(f"the model {model!r} failed: {type(error).__name__}: {error}")
    return Failure(error.code, error.message, error.retry_after)


def open_work(engine: Engine, task: Task) -> Work:
    """The work of `task` on `engine`. Raises SpeechErrors for requests the engine refuses."""
    request = task.request
    if request.streams:
        if isinstance(engine, Streaming):
            return Live(engine.open(request), task)
    elif isinstance(engine, Batched):
        return InBatch(engine, engine.begin(request))
    elif isinstance(engine, Running):
        return Whole(engine.run(request))
    raise Unsupported(f"the model {task.model.name!r} cannot do {type(request).__name__.lower()}")


class Whole:
    """A generator that answers a request whose input is whole."""

    runnable = True

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def step(self, task: Task) -> bool:
        for event in self._steps:  # what is said is no work: a job that is over ends with its last word
            if event is None:
                return True
            task.say(event)
        return False

    def close(self) -> None:
        _close(self._steps)


class Live:
    """A stream that is fed."""

    def __init__(self, stream: Stream | TextStream, task: Task) -> None:
        self._stream = stream
        self._inbox = task.inbox
        self._steps: Steps | None = None
        self._finishing = False

    @property
    def runnable(self) -> bool:
        return self._steps is not None or bool(self._inbox)

    def step(self, task: Task) -> bool:
        if self._steps is None:
            match task.next_command():
                case Feed(samples) if not isinstance(self._stream, TextStream):
                    self._steps = self._stream.feed(samples)
                case FeedText(text) if isinstance(self._stream, TextStream):
                    self._steps = self._stream.feed_text(text)
                case End():
                    self._steps = self._stream.finish()
                    self._finishing = True
                case None:
                    return True
                case Feed() | FeedText() as command:
                    name = type(task.request).__name__
                    raise Unsupported(f"{name} does not take {type(command).__name__} commands")
        assert self._steps is not None
        try:
            event = next(self._steps)
        except StopIteration:
            self._steps = None
        else:
            if event is not None:
                task.say(event)
        return self._steps is not None or not self._finishing

    def close(self) -> None:
        if self._steps is not None:
            _close(self._steps)
        self._stream.close()


class InBatch:
    """A seat in an engine that steps several requests at once; the worker steps the whole batch."""

    runnable = True

    def __init__(self, engine: Batched, state: State) -> None:
        self.engine = engine
        self.state = state

    def step(self, task: Task) -> bool:
        raise NotImplementedError("a seat steps with its batch: step_batch")

    def close(self) -> None:
        self.engine.end(self.state)


def step_batch(tasks: Sequence[Task]) -> list[Exception | bool]:
    """One step of the tasks that share an engine's batch. Per task: whether it goes on, or what failed it."""
    seats = [task.work for task in tasks if isinstance(task.work, InBatch)]
    said = seats[0].engine.step([seat.state for seat in seats])
    outcomes: list[Exception | bool] = []
    for task, seat, events in zip(tasks, seats, said, strict=True):
        error = next((event for event in events if isinstance(event, Exception)), None)
        for event in events:
            if not isinstance(event, Exception):
                task.say(event)
        outcomes.append(error or not seat.state.finished)
    return outcomes


def _close(steps: Steps) -> None:
    close = getattr(steps, "close", None)
    if close is not None:
        close()
