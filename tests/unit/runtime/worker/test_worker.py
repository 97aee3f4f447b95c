"""The worker without its process: messages in, steps, messages out, on a clock of the test."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from support import scripted
from support.scripted_live import LIVE_ROW
from support.worker_bench import Bench

from speechmlx.engines import LoadOptions
from speechmlx.errors import ModelUnavailable
from speechmlx.log.lines import TextLines
from speechmlx.log.record import request_ids
from speechmlx.runtime.ipc.messages import (
    DEVICE_FAILED,
    OUTPUT_WINDOW,
    CancelJob,
    Ended,
    Failure,
    Input,
    InputConsumed,
    Output,
    OutputConsumed,
    Setup,
    Start,
)
from speechmlx.runtime.worker.tasks import BatchedWork, Outcome, Task
from speechmlx.runtime.worker.worker import Worker
from speechmlx.types import (
    Audio,
    Chunk,
    End,
    Enhance,
    Event,
    Feed,
    Generate,
    Listen,
    Message,
    Progress,
    Request,
    Transcribe,
)

ASR_ROW = next(row for row in scripted.ROWS if row.name == "scripted-asr")


def test_a_job_says_its_events_and_ends() -> None:
    bench = Bench()
    job = bench.speak("steps=3")
    bench.run()
    assert [type(e).__name__ for e in bench.events(job)] == ["Chunk", "Chunk", "Chunk", "Usage"]
    assert bench.end(job).failure is None


def test_a_reader_that_is_behind_pauses_its_job_and_no_other() -> None:
    bench = Bench()
    slow, quick = bench.speak("steps=40"), bench.speak("steps=3")
    bench.run()
    assert len(bench.events(slow)) == OUTPUT_WINDOW
    assert bench.ended(quick)
    assert not bench.ended(slow)
    bench.worker.handle(OutputConsumed(slow, OUTPUT_WINDOW))
    bench.run()
    assert len(bench.events(slow)) == 2 * OUTPUT_WINDOW
    bench.worker.handle(OutputConsumed(slow, OUTPUT_WINDOW))
    bench.run()
    assert bench.end(slow).failure is None


def test_cancel_closes_the_generator_before_the_next_step(tmp_path: Path) -> None:
    bench = Bench()
    job = bench.speak(f"steps=10 trace={tmp_path / 'trace'}")
    bench.run(5)
    bench.worker.handle(CancelJob(job))
    bench.run(1)
    assert bench.end(job).failure is None
    notes = (tmp_path / "trace").read_text().splitlines()
    assert '"close"' in notes[-1]
    assert len(notes) <= 6


@pytest.mark.parametrize("memory", [False, True])
def test_a_gpu_that_fails_ends_the_process_after_its_job(memory: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it had no memory: its job is told the numbers, and nothing that the GPU left half is used again."""
    if memory:
        told = "[METAL] Command buffer execution failed: Insufficient Memory (00000008)"
        monkeypatch.setattr(scripted, "GPU_FAILURE", told)
    bench = Bench()
    bad, other = bench.speak("gpu=1"), bench.speak("steps=100")
    with pytest.raises(SystemExit) as ended:
        bench.run()
    assert ended.value.code == DEVICE_FAILED
    failure = bench.end(bad).failure
    assert failure is not None and failure.code == ("no_memory" if memory else "engine_failed")
    assert "[METAL] Command buffer execution failed" in failure.message
    assert not bench.ended(other)


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("model", ["scripted", "scripted-llm"])
def test_a_gpu_that_fails_as_a_job_is_freed_ends_the_process(model: str, cancelled: bool) -> None:
    """MLX tells it once, to whoever evaluates next: the end of a chat does, for what it keeps of the prompt."""
    bench = Bench()
    script = "steps=40 free=gpu" if cancelled or model == "scripted" else "steps=3 free=gpu"
    chat = Generate(messages=(Message("user", script),))
    job = bench.start(chat, model) if model == "scripted-llm" else bench.speak(script)
    if cancelled or model == "scripted":
        bench.run(5)
        bench.worker.handle(CancelJob(job))
    with pytest.raises(SystemExit) as ended:
        bench.run()
    assert ended.value.code == DEVICE_FAILED
    failure = bench.end(job).failure
    assert failure is not None and failure.message.endswith(scripted.GPU_FAILURE)


def test_a_job_that_failed_and_then_lost_the_gpu_is_told_its_own_error() -> None:
    bench = Bench()
    job = bench.start(Generate(messages=(Message("user", "fail=1 free=gpu"),)), "scripted-llm")
    with pytest.raises(SystemExit):
        bench.run()
    failure = bench.end(job).failure
    assert failure is not None and failure.message.endswith("scripted to fail at step 1")


def _fails() -> None:
    try:
        raise RuntimeError(scripted.GPU_FAILURE)
    except RuntimeError as error:
        raise ModelUnavailable("the model lacks what its family needs") from error


def _load(folder: Path, options: LoadOptions) -> Iterator[Progress]:
    yield Progress("load", 0, 1)
    _fails()


def _run(self: scripted.Scripted, request: Request) -> Iterator[Event | None]:
    yield None
    _fails()


def _load_alone(folder: Path, options: LoadOptions) -> Iterator[Progress]:
    yield Progress("warm_up", 0, 1)
    raise RuntimeError(scripted.GPU_FAILURE)


def test_a_gpu_that_fails_in_a_warm_up_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripted, "load", _load_alone)
    bench = Bench()
    job = bench.speak()
    with pytest.raises(SystemExit) as ended:
        bench.run()
    assert ended.value.code == DEVICE_FAILED
    failure = bench.end(job).failure
    assert failure is not None and failure.message.startswith("loading 'scripted' failed: RuntimeError: [METAL] ")


@pytest.mark.parametrize(("place", "name", "fake"), [(scripted, "load", _load), (scripted.Scripted, "run", _run)])
def test_a_gpu_that_fails_behind_another_error_ends_the_process(
    place: object, name: str, fake: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, fake)
    bench = Bench()
    job = bench.speak()
    with pytest.raises(SystemExit) as ended:
        bench.run()
    assert ended.value.code == DEVICE_FAILED
    assert bench.end(job).failure == Failure("model_unavailable", "the model lacks what its family needs")


def test_a_failure_reaches_its_job_alone() -> None:
    bench = Bench()
    bad, good = bench.speak("fail=1"), bench.speak()
    bench.run()
    failure = bench.end(bad).failure
    assert failure is not None
    assert failure.code == "engine_failed"
    assert "scripted to fail at step 1" in failure.message
    assert bench.end(good).failure is None


def test_lines_of_the_log_name_the_requests(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(TextLines("engine: "))
    bench, named = Bench(), set[str]()
    bench.speak("fail=1")
    bench.run()
    assert "engine: job 1 on scripted failed [req_1]\n    Traceback" in caplog.text
    step = BatchedWork.step

    def named_step(self: BatchedWork, tasks: Sequence[Task]) -> list[Outcome]:
        named.add(request_ids())
        return step(self, tasks)

    monkeypatch.setattr(BatchedWork, "step", named_step)
    for _ in range(2):
        bench.start(Generate(messages=(Message("user", "steps=3"),)), "scripted-llm")
    bench.run()
    assert "req_2,req_3" in named and request_ids() == ""


def test_an_ended_job_says_when_it_was_worked_on() -> None:
    bench = Bench()
    first = bench.speak("steps=3")
    bench.run()
    second, cancelled = bench.speak("steps=3"), bench.speak()
    bench.worker.handle(CancelJob(cancelled))
    bench.run()
    loading, ready, never = (bench.end(job).times for job in (first, second, cancelled))
    assert loading is not None and loading.loaded is not None and loading.begun is not None
    assert 0.0 == loading.arrived < loading.loaded <= loading.begun <= loading.ended
    assert ready is not None and ready.loaded is None and ready.begun is not None
    assert loading.ended <= ready.arrived <= ready.begun <= ready.ended
    assert never is not None and never.begun is None and never.worked == 0.0


def test_synthesis_does_not_wait_for_text_that_waited_for_it() -> None:
    bench = Bench()
    chat = bench.start(Generate(messages=(Message("user", "steps=50"),)), "scripted-llm")
    bench.run(5)
    for _ in range(2):
        before = len(bench.events(chat))
        assert before > 0
        clause = bench.speak("steps=4")
        while not bench.ended(clause):
            bench.run(1)
        assert len(bench.events(chat)) - before <= 1
        bench.run(3)


def test_listening_goes_before_a_synthesis_that_came_after_it() -> None:
    bench = Bench()
    listening = bench.start(Enhance(), "scripted-enhance")
    bench.run()
    clause = bench.speak("steps=20")
    bench.run(3)
    bench.worker.handle(Input(listening, Feed(np.zeros(10, np.float32))))
    before = len(bench.events(clause))
    while not bench.events(listening):
        bench.run(1)
    assert len(bench.events(clause)) - before == 0


def test_a_job_ends_with_its_last_word() -> None:
    """Not when its listener would run dry, as others have work to do until then."""
    bench = Bench()
    first = bench.speak("steps=1 bytes=960000")
    bench.start(Generate(messages=(Message("user", "steps=50"),)), "scripted-llm")
    while not bench.events(first):
        bench.run(1)
    bench.run(1)
    assert bench.ended(first)


def test_first_audio_in_order_of_arrival_then_whoever_runs_dry() -> None:
    bench = Bench()
    first, second = (bench.speak("steps=4 bytes=48000") for _ in range(2))
    bench.run()
    chunks = [m.job for m in bench.said if isinstance(m, Output) and isinstance(m.event, Chunk)]
    assert chunks == [first, second] * 4


def test_a_stream_uses_commands_and_says_so() -> None:
    bench = Bench()
    job = bench.start(Enhance(), "scripted-enhance")
    for _ in range(3):
        bench.worker.handle(Input(job, Feed(np.full(10, 0.5, np.float32))))
    bench.run()
    assert sum(m.count for m in bench.said if isinstance(m, InputConsumed)) == 3
    assert not bench.ended(job)
    bench.worker.handle(Input(job, End()))
    bench.run()
    assert bench.end(job).failure is None
    assert sum(len(e.pcm16) for e in bench.events(job) if isinstance(e, Chunk)) == 3 * 10 * 2


def test_live_streams_of_a_model_take_turns() -> None:
    """Words of one stream do not wait for another that is fed all the time: each pays for its own turns."""
    posted: list[object] = []
    ticks = itertools.count()
    worker = Worker(posted.append, LoadOptions(), clock=lambda: 0.001 * next(ticks))
    worker.handle(Setup(1_000_000_000, 0.0))
    for job in (1, 2, 3):
        worker.handle(Start(job, Listen(), LIVE_ROW, ""))
        for _ in range(20):
            worker.handle(Input(job, Feed(np.zeros(10, np.float32))))
        worker.handle(Input(job, End()))
    counts = Counter[int]()
    while worker.step():
        counts = Counter(message.job for message in posted if isinstance(message, Output))
        assert max(counts.values(), default=0) - min(counts[job] for job in (1, 2, 3)) <= 1
    assert counts == {1: 16, 2: 16, 3: 16} and OUTPUT_WINDOW == 16
    for job in (1, 2, 3):
        worker.handle(OutputConsumed(job, OUTPUT_WINDOW))
    while worker.step():
        pass
    assert {message.job for message in posted if isinstance(message, Ended)} == {1, 2, 3}


def test_a_request_the_model_cannot_do_is_refused() -> None:
    bench = Bench()
    job = bench.start(Enhance(), "scripted-llm")
    bench.run()
    failure = bench.end(job).failure
    assert failure is not None
    assert failure.code == "unsupported"


@pytest.mark.parametrize("message", [Input(99, End()), OutputConsumed(99, 1), CancelJob(99)])
def test_messages_for_a_job_that_is_over_are_nothing(message: object) -> None:
    bench = Bench()
    bench.worker.handle(message)
    assert bench.run() == 0


@pytest.mark.parametrize("busy", [1, 3])
def test_many_jobs_of_some_clients_delay_another_by_a_step(busy: int) -> None:
    ticks = itertools.count()
    posted: list[object] = []
    worker = Worker(posted.append, LoadOptions(), clock=lambda: 0.01 * next(ticks))
    worker.handle(Setup(1_000_000_000, 0.0))
    request = Transcribe(audio=Audio(np.zeros(10, np.float32), 16000), prompt="steps=10")
    for job in range(60):
        worker.handle(Start(job, request, ASR_ROW, "", f"busy {job % busy}"))
    for _ in range(200):
        worker.step()
    worker.handle(Start(5000, request, ASR_ROW, "", "other"))
    steps, before = 0, len(posted)
    while steps < 200 and not any(isinstance(m, Ended) and m.job == 5000 for m in posted[before:]):
        worker.step()
        steps += 1
    assert 10 < steps <= 11 * (busy + 1) + 2 * busy, "its ten steps, and as many of each busy client"
