"""A job inside the engine process: its commands and events, when it is due, and the four ways an engine works on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from speechmlx.engines import (
    Batched,
    BatchedStreaming,
    Engine,
    FlushableTextStream,
    RequestState,
    Running,
    Steps,
    Stream,
    Streaming,
    StreamState,
    TextStream,
)
from speechmlx.errors import EngineFailed, SpeechError, Unsupported
from speechmlx.runtime.ipc.messages import OUTPUT_WINDOW, Begun, Ended, Failure, InputConsumed, JobTimes, Output, Start
from speechmlx.runtime.worker.accounts import Account
from speechmlx.runtime.worker.scheduler import Candidate
from speechmlx.types import Chunk, Command, End, Event, Feed, FeedText, FlushText, Kind, Load, Progress

Post = Callable[[object], None]

Outcome = Exception | bool
"""What a step came to for one task: whether the task goes on, or the error that ends it."""

SAVED = 2.0
"""Seconds of the engine's time by which a stream that waited may be ahead of others, at most."""
LEAD = 4.0
"""Seconds of synthesized audio that a listener should have buffered."""


class Work(Protocol):
    """An engine at work on one task."""

    @property
    def runnable(self) -> bool:
        """Whether there is input to work on."""

    def step(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Do one bounded piece of work for `tasks`, which the scheduler picked together. This is the first one's work.

        Events go to the tasks; returns an outcome per task. An exception raised ends all of them.
        """

    def close(self) -> None:
        """Free what the engine holds for this task."""


class Task:
    """One job: its request, its unread events, the time it was worked on. Times are seconds of one monotonic clock."""

    def __init__(
        self, start: Start, clock: Callable[[], float], post: Post, account: Account | None = None, late: float = 0.0
    ) -> None:
        self.client = start.client
        self.account = account or Account()
        self._spent_before = self.account.spent
        self.late = late
        self.id = start.job
        self.request_id = start.request_id
        self.request = start.request
        self.model = start.model
        self.inbox: deque[Command] = deque()
        self.work: Work | None = None
        self.cancelled = False
        self.waiting_since = self._arrived = self._came = clock()
        self._loaded: float | None = None
        self._begun: float | None = None
        self._worked = 0.0
        self._clock = clock
        self._post = post
        self._posted = 0
        self._taken = 0
        self._stepped = 0.0
        self._first_audio: float | None = None
        self._audio = 0.0

    @property
    def due(self) -> float:
        """The time at which the task should step next, for comparison with other tasks.

        Until the first audio of a synthesis is out, the synthesis is due at its arrival: the first listener is served
        first. After that it is due when its listener runs out of audio. Any other task is due at its arrival plus the
        time spent on it. So tasks that arrive together share the engine fairly, and a new task does not wait for a long
        one. A language model gets LEAD more: its text is not needed before the speech of the earlier text ends. While
        clients with many tasks get less than they ask for, a new task counts as overdue as theirs are.
        """
        if self._first_audio is not None:
            due = self._first_audio + self._audio
        elif self.request.kind == Kind.TTS:
            due = self._arrived
        else:
            due = self._arrived + self._stepped + (LEAD if self.request.kind == Kind.LLM else 0.0)
        return due - self.late

    @property
    def behind(self) -> float:
        """Seconds spent on other tasks of its client since it arrived."""
        return max(0.0, self.account.spent - self._spent_before - self._stepped)

    @property
    def runnable(self) -> bool:
        reader_behind = self._posted - self._taken >= OUTPUT_WINDOW
        return not reader_behind and (self.work is None or self.work.runnable)

    def candidate(self, loaded: bool, max_batch: int) -> Candidate:
        """The task as the scheduler sees it. `max_batch`: size of the batch it steps in, 0 when it steps alone."""
        batch = f"{self.model.name} live" if self.request.streams else self.model.name
        return Candidate(
            id=self.id,
            priority=self.request.priority,
            due=self.due,
            waiting_since=self.account.waiting_since(self.request.priority, self.waiting_since),
            runnable=loaded and self.runnable,
            cancelled=self.cancelled,
            batch=batch if max_batch > 0 and not isinstance(self.request, Load) else None,
            max_batch=max_batch,
            client=self.client,
            behind=self.behind,
        )

    def receive(self, command: Command) -> None:
        """Take a command. A stream that waited for it long has saved up no more than SAVED."""
        if self.request.streams and not self.inbox and self.work is not None and not self.work.runnable:
            since = self._clock() - SAVED
            if self._first_audio is None and self._arrived + self._stepped < since:
                self._arrived, self._stepped, self._spent_before = since, 0.0, self.account.spent
        self.inbox.append(command)

    def post_event(self, event: Event) -> None:
        """Post an event. Progress is not counted as unread output: the reader may drop it."""
        if not isinstance(event, Progress):
            self._posted += 1
        if isinstance(event, Chunk):
            if self._first_audio is None:
                self._first_audio = self._clock()
            self._audio += event.duration
        self._post(Output(self.id, event))

    def taken(self, count: int) -> None:
        """Record that the reader took `count` more events."""
        self._taken += count

    def begun(self, work: Work, loaded: float) -> None:
        """An engine begins `work` on it. `loaded`: when the model was loaded."""
        self.work = work
        self._begun = self._clock()
        self._loaded = loaded if loaded > self._came else None
        self._post(Begun(self.id))

    def worked(self, seconds: float) -> None:
        """It was part of a step of `seconds`."""
        self._worked += seconds

    def stepped(self, seconds: float) -> None:
        """Charge the task for a step of `seconds`."""
        self._stepped += seconds
        self.waiting_since = self._clock()

    def next_command(self) -> Command | None:
        """Take the oldest command from the inbox, and tell the front that it may send one more."""
        if not self.inbox:
            return None
        command = self.inbox.popleft()
        self._post(InputConsumed(self.id, 1))
        return command

    def close(self) -> Exception | None:
        """Free the work. Returns an error that this raised: an engine may compute once more."""
        work, self.work = self.work, None
        try:
            if work is not None:
                work.close()
        except Exception as error:
            return error
        return None

    def end(self, error: Exception | None = None) -> None:
        """Tell the front that it has ended. Its work is closed."""
        times = JobTimes(self._came, self._loaded, self._begun, self._clock(), self._worked)
        self._post(Ended(self.id, failure(error, self.model.name) if error else None, times))


def failure(error: Exception, model: str) -> Failure:
    """Convert an error for the front: a SpeechError keeps its code, any other becomes `engine_failed`."""
    if not isinstance(error, SpeechError):
        error = EngineFailed(f"the model {model!r} failed: {type(error).__name__}: {error}")
    return Failure(error.code, error.message, error.retry_after)


def batch_size(engine: Engine, streams: bool) -> int:
    """How many live (`streams`) or other requests the engine steps at once; 0 when it steps them one by one."""
    if streams:
        return engine.max_batch if isinstance(engine, BatchedStreaming) else 0
    return engine.max_batch if isinstance(engine, Batched) else 0


def open_work(engine: Engine, task: Task) -> Work:
    """Begin the work of `task` on `engine`. Raises SpeechErrors for requests that the engine refuses."""
    request = task.request
    if request.streams:
        if isinstance(engine, BatchedStreaming):
            return BatchedStreamingWork(engine, engine.begin(request), task)
        if isinstance(engine, Streaming):
            return StreamingWork(engine.open(request), task)
    elif isinstance(engine, Batched):
        return BatchedWork(engine, engine.begin(request))
    elif isinstance(engine, Running):
        return RunningWork(engine.run(request))
    raise Unsupported(f"the model {task.model.name!r} cannot do {type(request).__name__.lower()}")


class RunningWork:
    """One generator that answers one request whose input is whole."""

    runnable = True

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def step(self, tasks: Sequence[Task]) -> list[Outcome]:
        for event in self._steps:  # posting an event takes no time, so a task ends in the step of its last event
            if event is None:
                return [True]
            tasks[0].post_event(event)
        return [False]

    def close(self) -> None:
        _close(self._steps)


class StreamingWork:
    """One live input that steps alone."""

    def __init__(self, stream: Stream | TextStream, task: Task) -> None:
        self._stream = stream
        self._inbox = task.inbox
        self._steps: Steps | None = None
        self._finishing = False

    @property
    def runnable(self) -> bool:
        return self._steps is not None or bool(self._inbox)

    def step(self, tasks: Sequence[Task]) -> list[Outcome]:
        (task,) = tasks
        if self._steps is None:
            match task.next_command():
                case Feed(samples) if not isinstance(self._stream, TextStream):
                    self._steps = self._stream.feed(samples)
                case FeedText(text) if isinstance(self._stream, TextStream):
                    self._steps = self._stream.feed_text(text)
                case FlushText() if isinstance(self._stream, FlushableTextStream):
                    self._steps = self._stream.flush_text()
                case End():
                    self._steps = self._stream.finish()
                    self._finishing = True
                case None:
                    return [True]
                case Feed() | FeedText() | FlushText() as command:
                    name = type(task.request).__name__
                    raise Unsupported(f"{name} does not take {type(command).__name__} commands")
        assert self._steps is not None
        try:
            event = next(self._steps)
        except StopIteration:
            self._steps = None
        else:
            if event is not None:
                task.post_event(event)
        return [self._steps is not None or not self._finishing]

    def close(self) -> None:
        if self._steps is not None:
            _close(self._steps)
        self._stream.close()


class BatchedWork:
    """One request in the batch of an engine that steps several requests at once."""

    runnable = True

    def __init__(self, engine: Batched, state: RequestState) -> None:
        self._engine = engine
        self._state = state

    def step(self, tasks: Sequence[Task]) -> list[Outcome]:
        states = [task.work._state for task in tasks if isinstance(task.work, BatchedWork)]
        events = self._engine.step(states)
        return [_post(*one) for one in zip(tasks, states, events, strict=True)]

    def close(self) -> None:
        self._engine.end(self._state)


class BatchedStreamingWork:
    """One live input in the batch of an engine that steps several live inputs at once."""

    def __init__(self, engine: BatchedStreaming, state: StreamState, task: Task) -> None:
        self._engine = engine
        self._state = state
        self._inbox = task.inbox

    @property
    def runnable(self) -> bool:
        return self._state.busy or bool(self._inbox)

    def step(self, tasks: Sequence[Task]) -> list[Outcome]:
        outcomes: list[Outcome] = [True] * len(tasks)
        stepping: list[tuple[int, StreamState]] = []
        for index, task in enumerate(tasks):
            assert isinstance(task.work, BatchedStreamingWork)
            try:
                task.work._feed(task)
            except Exception as error:  # bad input ends its own stream only
                outcomes[index] = error
            else:
                stepping.append((index, task.work._state))
        stepped = self._engine.step([state for _, state in stepping]) if stepping else []
        for (index, state), events in zip(stepping, stepped, strict=True):
            outcomes[index] = _post(tasks[index], state, events)
        return outcomes

    def _feed(self, task: Task) -> None:
        """Feed the stream its next command once it is idle: its input is taken no faster than it is worked on."""
        command = None if self._state.busy else task.next_command()
        if command is not None:
            self._engine.feed(self._state, command)

    def close(self) -> None:
        self._engine.end(self._state)


def _post(task: Task, state: RequestState, events: Sequence[Event | Exception]) -> Outcome:
    """Post one state's events of a step."""
    for event in events:
        if not isinstance(event, Exception):
            task.post_event(event)
    error = next((event for event in events if isinstance(event, Exception)), None)
    return error or not state.finished


def _close(steps: Steps) -> None:
    close = getattr(steps, "close", None)
    if close is not None:
        close()
