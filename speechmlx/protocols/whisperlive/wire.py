"""The messages of one WhisperLive connection: audio → commands, events → segments. No I/O."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from speechmlx.conversation import events
from speechmlx.conversation.commands import Append, Command, Emit, Finish, Flush
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.protocols.session_keeper import WirePoint
from speechmlx.protocols.whisperlive.options import ClientOptions
from speechmlx.protocols.whisperlive.segments import Json, SegmentClock, SpokenText, TurnText, seconds, segment
from speechmlx.protocols.whisperlive.series import WhisperLiveSeries
from speechmlx.protocols.ws import Answer, Close, ResumePoint

BACKEND = "faster_whisper"
"""Clients keep completed segments of this backend alone."""
END = "END_OF_AUDIO"
MAX_CONNECTION = 600.0
"""Seconds after which a connection ends."""
LAST_WORDS = 5.0
"""Seconds after that in which the words said so far become final, at most."""
PROGRESS = 0.5
"""Seconds of audio between two looks at whether the open segment stays the same."""
BEHIND = 2.0
"""Seconds that recognition may be behind; if it is more, no new words say nothing."""
SURE = 0.5
"""Probability above which a detected language is told."""
HANDED_OVER = 64 * 1024
"""Characters of completed segments that another server gets, so that messages have them as before."""
KEPT_SPANS = 64
"""Turns that may wait for their translation."""


class WhisperLiveWire:
    """`warnings` come before the greeting. `on_start` is called with the time of the first tick."""

    def __init__(
        self,
        options: ClientOptions,
        series: WhisperLiveSeries,
        warnings: Sequence[str] = (),
        on_start: Callable[[float], None] = lambda now: None,
    ) -> None:
        self._options = options
        self._series = series
        self._warnings = warnings
        self._on_start = on_start
        self._started: float | None = None
        self._now = 0.0
        """Time of the last tick."""
        self._elapsed: float | None = None
        """Seconds for which other wires had the connection before; None: it is new."""
        self._told_until = 0.0
        """End of the last text in a completed segment."""
        self.told = 0
        """Completed segments so far."""
        self._overtime = False
        self._ended = False
        """Whether no more audio is taken."""
        self._language: str | None = None
        self._turns: dict[str, TurnText] = {}
        """By item, in the order in which they were said. The first is told; the others wait until it is over."""
        self._clock = SegmentClock()
        self._completed: deque[Json] = deque(maxlen=options.last_segments)
        self._shown = ""
        """Text of the open segment that the client has; "" for none."""
        self._repeats = 0
        """Steps for which the open segment has stayed the same."""
        self._spans: dict[str, tuple[int, int]] = {}
        """By item, start and end of the completed segments of turns that wait for a translation."""
        self._translated: deque[Json] = deque(maxlen=options.last_segments)

    # --- Wire ---

    def receive(self, message: str | bytes) -> Sequence[Command]:
        """Audio, or END as text or binary."""
        if self._ended:
            return []
        if message in (END, END.encode()):
            self._ended = True
            return [Finish()]
        if isinstance(message, str):
            error = BadRequest(
                f"the text message {message!r:.40} means nothing here; audio is binary, its end is {END}"
            )
            return [Emit(event=events.Failed(error, error.code))]
        if self._overtime:
            self._ended = True
            return [Finish()]
        if self._repeats > self._options.repeats:
            self._repeats = 0
            return [Append(audio=message), Flush()]
        return [Append(audio=message)]

    def send(self, event: events.Event) -> Sequence[Answer]:
        """The messages of an event."""
        match event:
            case events.SpeechStarted(item, at):
                self._turn(item).start = at
            case events.SpeechStopped(item, at):
                self._turn(item).end = at
            case events.TranscriptDelta(item, update):
                self._turn(item).add(update)
                return [*self._detected(update.language, update.language_probability), *self._segments()]
            case events.TranscriptDone(item):
                self._turn(item).over = True
                return self._segments()
            case events.TranscriptFailed(item, error):
                self._turn(item).over = True
                return [*self._segments(), self._error(error)]
            case events.Flushed():
                return self._segments(flushed=True)
            case events.Advanced():
                self._look(event)
            case events.TranslationDone(item, text, language):
                return self._translation(item, text, language)
            case events.TranslationFailed(item, error):
                self._spans.pop(item, None)
                return [self._status("WARNING", f"no translation: {error}")]
            case events.Failed(error):
                return [self._error(error)]
        return []

    def tick(self, now: float, held: bool = False) -> Sequence[Answer]:
        """The greeting at first, and the end of a connection that lasted too long."""
        self._now = now
        if self._started is None:
            self._started = now - (self._elapsed or 0.0)
            self._on_start(self._started)
            self._series.connections += 1
            if self._elapsed is not None:
                return []
            return [*(self._status("WARNING", text) for text in self._warnings), self._ready()]
        over = now - self._started - MAX_CONNECTION
        self._overtime = over >= 0
        if not self._overtime or (self._turns and over < LAST_WORDS):
            return []
        return self.end()

    def end(self) -> Sequence[Answer]:
        """What is not told yet, and the end."""
        for turn in self._turns.values():
            turn.over = True
        told = self._segments()
        if self._overtime:
            told.append(self._message(message="DISCONNECT"))
        return [*told, Close()]

    def resume(self, point: ResumePoint) -> str:
        """The first message to a client that has come back."""
        return self._message(message="SERVER_READY", backend=BACKEND, resumed=point.fields)

    # --- for other servers ---

    def point(self, settled: float) -> WirePoint | None:
        """Where it is; None before the greeting, and once no more audio is taken."""
        if self._started is None or self._ended or self._overtime:
            return None
        at = max((next(iter(self._turns.values())).start if self._turns else settled), self._told_until)
        state: Json = {
            "clock": self._clock.end,
            "language": self._language,
            "elapsed": self._now - self._started,
            "told": self.told,
            "told_until": self._told_until,
            "completed": newest(self._completed),
            "translated": newest(self._translated),
        }
        return WirePoint(at, state)

    def restore(self, state: Json, at: float, sent: int) -> None:
        """Go on where another wire was. Translations of turns that are over do not come any more."""
        self._clock.end, self._language = state["clock"], state["language"]
        self._elapsed, self.told, self._told_until = state["elapsed"], state["told"], state["told_until"]
        self._completed.extend(state["completed"])
        self._translated.extend(state["translated"])

    # --- messages ---

    def _message(self, **fields: Any) -> str:
        return json.dumps({"uid": self._options.uid, **fields}, ensure_ascii=False)

    def _status(self, status: str, text: str) -> str:
        return self._message(status=status, message=text)

    def _ready(self) -> str:
        return self._message(message="SERVER_READY", backend=BACKEND)

    def _error(self, error: SpeechError) -> str:
        self._series.errors[(error.code,)] += 1
        return self._status("ERROR", str(error))

    def _detected(self, language: str | None, probability: float | None) -> list[Answer]:
        """Tell the language, where the client named none, once it is known and when it is another one."""
        if self._options.language is not None or language in (None, self._language) or (probability or 0.0) <= SURE:
            return []
        self._language = language
        return [self._message(language=language, language_prob=probability)]

    # --- segments ---

    def _turn(self, item: str) -> TurnText:
        return self._turns.setdefault(item, TurnText())

    def _segments(self, flushed: bool = False) -> list[Answer]:
        """What is new of the first turn, and of the next ones once it is over. `flushed`: open segments are over."""
        new: list[Json] = []
        while self._turns:
            item, turn = next(iter(self._turns.items()))
            for texts in turn.take(flushed):
                span = self._clock.complete(texts)
                self._told_until = texts[-1].end
                self.told += 1
                new.append(segment(texts, span, True, self._options.word_times))
                self._remember(item, span)
            if not turn.over:
                break
            del self._turns[item]
        opened = next((turn.open for turn in self._turns.values()), [])
        return self._told(new, self._opened(opened))

    def _opened(self, texts: list[SpokenText]) -> Json | None:
        if not any(text.text.strip() for text in texts):
            return None
        return segment(texts, self._clock.span(texts), False, self._options.word_times)

    def _told(self, new: list[Json], opened: Json | None) -> list[Answer]:
        """The messages for `new` completed segments and the `opened` one.

        A client takes the open segment that it got last for the end of the text, unless the last completed one says
        the same. So a completed segment is open with the same text before.
        """
        told: list[Answer] = []
        if new and opened is None and self._shown != new[-1]["text"]:
            *before, last = new
            told += self._complete(before, {**last, "completed": False})
            new = [last]
        if new:
            told += self._complete(new, opened)
        elif opened is not None and opened["text"] != self._shown:
            told.append(self._window(opened))
        elif opened is None and self._shown:
            start = seconds(self._clock.end)
            told.append(self._window({"start": start, "end": start, "text": "", "completed": False}))
        if new and opened is None:
            self._shown = ""
        return told

    def _complete(self, new: list[Json], opened: Json | None) -> list[Answer]:
        """Messages in which each of the `new` segments is once at least; the last one has the `opened` one."""
        told: list[Answer] = []
        while len(new) > self._options.last_segments:
            part, new = new[: self._options.last_segments], new[self._options.last_segments :]
            self._completed += part
            told.append(self._window(None))
            self._series.segments["true",] += len(part)
        self._completed += new
        self._series.segments["true",] += len(new)
        return [*told, self._window(opened)]

    def _window(self, opened: Json | None) -> Answer:
        """The last completed segments and the open one."""
        if opened is not None:
            self._shown = opened["text"]
            self._series.segments["false",] += 1
        self._repeats = 0
        return self._message(segments=[*self._completed, *([] if opened is None else [opened])])

    def _look(self, event: events.Advanced) -> None:
        """Count for how long the open segment has stayed the same."""
        stays = bool(self._shown) and event.in_turn and event.at - event.transcribed <= BEHIND
        self._repeats = self._repeats + 1 if stays else 0

    # --- translations ---

    def _remember(self, item: str, span: tuple[int, int]) -> None:
        """Keep the times of a turn for its translation."""
        if self._options.target_language is None:
            return
        self._spans[item] = (self._spans.get(item, span)[0], span[1])
        if len(self._spans) > KEPT_SPANS:
            del self._spans[next(iter(self._spans))]

    def _translation(self, item: str, text: str, language: str) -> list[Answer]:
        span = self._spans.pop(item, None)
        if span is None or not text.strip():
            return []
        translated = {
            "start": seconds(span[0]),
            "end": seconds(span[1]),
            "text": f" {text.strip()}",
            "completed": True,
            "target_language": language,
        }
        self._translated.append(translated)
        return [self._message(translated_segments=list(self._translated))]


def newest(segments: Sequence[Json]) -> list[Json]:
    """The newest of the segments, as many as HANDED_OVER allows."""
    kept, size = list[Json](), 0
    for one in reversed(segments):
        size += len(json.dumps(one))
        if size > HANDED_OVER:
            break
        kept.append(one)
    return kept[::-1]
