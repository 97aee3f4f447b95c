"""The spans of a job: how long it was prepared, waited for its model and its turn, and was worked on."""

from __future__ import annotations

import time

from speechmlx import tracing
from speechmlx.runtime.front.job import Job


def trace_job(job: Job) -> None:
    """Tell of a job that has ended.

    The stages follow each other: prepare (weights are fetched and checked, the engine process starts), load model,
    queue, engine. `first audio` goes from the submission to the first sound.
    """
    if not tracing.is_on():
        return
    now, times = time.monotonic(), job.times
    attributes: tracing.Attributes = {
        "speechmlx.job": job.id,
        "speechmlx.model": job.model.name,
        "speechmlx.kind": job.model.kind.value,
        "speechmlx.outcome": job.outcome,
    }
    span = tracing.begin(type(job.request).__name__.lower(), attributes, job.submitted, job.span)
    if job.sent is not None:
        tracing.stage("prepare", job.submitted, job.sent, span)
    if times is not None:
        waits = times.arrived
        if times.loaded is not None:
            tracing.stage("load model", times.arrived, times.loaded, span)
            waits = times.loaded
        if times.begun is not None:
            tracing.stage("queue", waits, times.begun, span)
            tracing.stage("engine", times.begun, times.ended, span, {"speechmlx.worked_s": times.worked})
    if job.first_audio is not None:
        tracing.stage("first audio", job.submitted, job.first_audio, span)
    span.end(now, None if job.outcome in ("ok", "cancelled") else job.outcome)
