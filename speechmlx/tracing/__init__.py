"""Traces of requests and turns, stage by stage, with OpenTelemetry; where they are off nothing of it is imported.

Times are seconds of the system's monotonic clock, which both processes share. Attributes hold no speech, no text of a
client and no key.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

log = logging.getLogger(__name__)

Value = str | int | float | bool
Attributes = Mapping[str, Value | None]
"""By name; None is left out."""

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXPORTER = "OTEL_TRACES_EXPORTER"
LAST_SPANS = 3.0
"""Seconds in which the last spans are sent when the server ends."""


class Span(Protocol):
    """A stage of the work. It must be ended, once."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits; "" where nothing is traced."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""

    def name(self, name: str) -> None:
        """Change its name."""

    def end(self, at: float | None = None, error: str | BaseException | None = None) -> None:
        """It ended at `at`, else now; with an error or the code of one."""

    def active(self) -> AbstractContextManager[object]:
        """What begins in the block, and in tasks that it starts, is part of this stage."""


class Tracer(Protocol):
    """Makes spans."""

    def begin(self, name: str, attributes: Attributes, at: float | None, parent: Span | None) -> Span:
        """A span from `at`, else now. It is part of `parent`, else of the active one."""

    def continued(self, name: str, headers: Mapping[str, str], attributes: Attributes) -> Span:
        """The span of a request that another program sent, whose trace its `headers` name."""

    def current(self) -> Span:
        """The active span."""

    def close(self) -> None:
        """Send what waits."""


class NoSpan:
    """A stage that is not traced."""

    trace_id = ""

    def set(self, attributes: Attributes) -> None:
        """Nothing."""

    def name(self, name: str) -> None:
        """Nothing."""

    def end(self, at: float | None = None, error: str | BaseException | None = None) -> None:
        """Nothing."""

    def active(self) -> AbstractContextManager[object]:
        """A block without effect."""
        return nullcontext()


NO_SPAN = NoSpan()
_tracer: Tracer | None = None


def is_on() -> bool:
    """Whether anything is traced."""
    return _tracer is not None


def begin(name: str, attributes: Attributes | None = None, at: float | None = None, parent: Span | None = None) -> Span:
    """A span from `at`, else now. It is part of `parent`, else of the active one."""
    return NO_SPAN if _tracer is None else _tracer.begin(name, attributes or {}, at, parent)


def continued(name: str, headers: Mapping[str, str], attributes: Attributes) -> Span:
    """The span of a request: part of the trace that its headers name (W3C's traceparent), else of a new one."""
    return NO_SPAN if _tracer is None else _tracer.continued(name, headers, attributes)


def current() -> Span:
    """The active span."""
    return NO_SPAN if _tracer is None else _tracer.current()


def stage(name: str, begin_at: float, end_at: float, parent: Span, attributes: Attributes | None = None) -> None:
    """A stage that is over already."""
    if _tracer is not None and end_at >= begin_at:
        _tracer.begin(name, attributes or {}, begin_at, parent).end(end_at)


def code_of(error: str | BaseException) -> str:
    """The code of an error: never its text, which may quote what was said."""
    if isinstance(error, str):
        return error
    code = getattr(error, "code", None)
    return code if isinstance(code, str) else type(error).__name__


@contextmanager
def span(name: str, attributes: Attributes | None = None) -> Iterator[Span]:
    """A stage that lasts as long as the block; what is raised ends it with an error."""
    if _tracer is None:
        yield NO_SPAN
        return
    made = _tracer.begin(name, attributes or {}, None, None)
    with made.active():
        try:
            yield made
        except BaseException as error:
            made.end(error=error)
            raise
        made.end()


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the OTEL_* environment asks for traces: it names an exporter or an address, and does not disable them."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if exporter := environment.get(EXPORTER, "").strip().lower():
        return exporter != "none"
    return any(environment.get(name, "").strip() for name in ENDPOINTS)


def start(environment: Mapping[str, str]) -> None:
    """Trace from now on, where the environment asks for it. What keeps it from that is logged."""
    if not wanted(environment):
        return
    try:
        from speechmlx.tracing.otel import open_tracer

        use(open_tracer(environment))
    except ImportError as error:
        log.warning(
            "the environment asks for traces (OTEL_*), but OpenTelemetry is not installed (%s): "
            "run `audio-server extras install otel` and restart the server", error,
        )  # fmt: skip
    except ValueError as error:
        log.warning("nothing is traced: %s", error)
    else:
        log.info("traces are sent as the environment (OTEL_*) says")


def use(tracer: Tracer | None) -> None:
    """Trace with `tracer` from now on; None: trace nothing."""
    global _tracer
    _tracer = tracer


def stop() -> None:
    """Send what waits, for LAST_SPANS seconds at most, and trace no more."""
    tracer = _tracer
    use(None)
    if tracer is not None:
        closing = threading.Thread(target=tracer.close, daemon=True)
        closing.start()
        closing.join(LAST_SPANS)
