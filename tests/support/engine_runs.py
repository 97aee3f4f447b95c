"""Runs requests of any engine to their end, and what their events hold."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import count
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from speechmlx.audio.pcm import from_pcm16
from speechmlx.engines import AIM, LONG_AIM
from speechmlx.types import Chunk, DetectSpeech, End, Event, FeedText, Probability, Request, Segment, SpeakStream

Result = TypeVar("Result")


def result(steps: Generator[Any, None, Result]) -> Result:
    """What a generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Result = end.value
            return found


def counted(steps: Generator[Any, None, Result]) -> tuple[int, Result]:
    """How many steps a generator has, and what it returns."""
    number = 0
    while True:
        try:
            next(steps)
            number += 1
        except StopIteration as end:
            return number, end.value


def told(done: list[str], what: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose calls add `what` to `done`."""

    def run(*args: Any) -> Any:
        done.append(what)
        return function(*args)

    return run


def work(engine: Any, states: Sequence[Any], feeds: Sequence[Sequence[Any]] = ()) -> list[list[Event]]:
    """Step `states` together to their end, each fed its commands whenever it is idle; gives their events."""
    left = [list(commands) for commands in feeds] or [[] for _ in states]
    found: list[list[Event]] = [[] for _ in states]
    while live := [place for place, state in enumerate(states) if not state.finished]:
        for place in live:
            if left[place] and not states[place].busy:
                engine.feed(states[place], left[place].pop(0))
        _step(engine, states, live, found)
    for state in states:
        engine.end(state)
    return found


def work_until_idle(engine: Any, *states: Any) -> list[list[Event]]:
    """Step `states` together until none has work to do; gives their events."""
    found: list[list[Event]] = [[] for _ in states]
    while busy := [place for place, state in enumerate(states) if state.busy]:
        _step(engine, states, busy, found)
    return found


def _step(engine: Any, states: Sequence[Any], places: Sequence[int], found: Sequence[list[Event]]) -> None:
    for place, events in zip(places, engine.step([states[place] for place in places]), strict=True):
        for event in events:
            if isinstance(event, Exception):
                raise event
            found[place].append(event)


def run(engine: Any, *requests: Request) -> list[list[Event]]:
    """The events of each request, all of them stepped together."""
    return work(engine, [engine.begin(request) for request in requests])


def stream(engine: Any, pieces: Sequence[str], **fields: Any) -> list[Event]:
    """The events of a text that comes in pieces."""
    return work(engine, [engine.begin(SpeakStream(**fields))], [[*map(FeedText, pieces), End()]])[0]


def in_turns(engine: Any, *requests: Request) -> list[list[Event]]:
    """The events of requests that step one by one in turn, while the length of a step changes."""
    running: dict[int, Iterator[Event | None]] = dict(enumerate(map(engine.run, requests)))
    found: list[list[Event]] = [[] for _ in requests]
    for turn in count():
        if not running:
            break
        engine.aim = (AIM, LONG_AIM)[turn % 3 == 0]
        place = list(running)[turn % len(running)]
        try:
            event = next(running[place])
        except StopIteration:
            del running[place]
        else:
            found[place] += [event] if event else []
    return found


def fed(stream: Any, pieces: Iterable[NDArray[np.float32]]) -> list[Event]:
    """The events of a stream of samples that comes in pieces, to its end."""
    events = [event for piece in pieces for event in stream.feed(piece)]
    events += stream.finish()
    stream.close()
    return [event for event in events if event]


def detected(engine: Any, pieces: Iterable[NDArray[np.float32]]) -> list[Probability]:
    """How likely there is speech in each frame of audio that comes in pieces."""
    return [event for event in fed(engine.open(DetectSpeech()), pieces) if isinstance(event, Probability)]


def pcm(events: Iterable[Any]) -> bytes:
    """The sound among events."""
    return b"".join(event.pcm16 for event in events if isinstance(event, Chunk))


def sound(events: Iterable[Any]) -> NDArray[np.float32]:
    """The samples among events."""
    return from_pcm16(pcm(events))


def silences(events: Iterable[Any]) -> list[float]:
    """Seconds of the chunks without any sound."""
    return [event.duration for event in events if isinstance(event, Chunk) and not any(event.pcm16)]


def segments(events: Iterable[Any]) -> list[Segment]:
    return [event for event in events if isinstance(event, Segment)]
