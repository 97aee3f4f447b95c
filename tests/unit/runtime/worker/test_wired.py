"""What keeps weights wired: which calls, when, and what a refusal or a failed GPU does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import mlx.core as mx
import pytest
from support import scripted
from support.small_whisper import network
from support.worker_bench import Bench

from speechmlx.runtime.ipc.messages import DEVICE_FAILED, CancelJob, Setup
from speechmlx.runtime.worker import wired
from speechmlx.runtime.worker.device import memory_in_use
from speechmlx.runtime.worker.room import ModelRoom
from speechmlx.runtime.worker.wired import PULSE, SMALL, KeepWired, MlxMemory, keep_wired, weights_of
from speechmlx.types import Enhance, Load, Unload

GONE = RuntimeError("[METAL] Command buffer execution failed: Caused GPU Timeout Error")


class Memory:
    """A WiredMemory that writes down what it is told. `fails`: what each call raises."""

    def __init__(self) -> None:
        self.limits: list[int] = []
        self.held: list[int] = []
        """Bytes that MLX holds when each limit is set."""
        self.evaluations = 0
        self.touched: list[int] = []
        """Arrays of each touch."""
        self.fails: Exception | None = None

    def free(self) -> None:
        MlxMemory().free()

    def set_limit(self, nbytes: int) -> None:
        self._fail()
        self.limits.append(nbytes)
        self.held.append(memory_in_use())

    def evaluate(self) -> None:
        self._fail()
        self.evaluations += 1

    def touch(self, arrays: Sequence[Any]) -> None:
        self._fail()
        self.touched.append(len(arrays))

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Holder:
    """An engine with two large arrays and a small one."""

    def __init__(self) -> None:
        self.layers = [{"a": mx.zeros((SMALL,)), "b": (mx.zeros((SMALL, 2)),)}]
        self.small = mx.zeros((4,))


Holder.__module__ = "speechmlx.engines.holder"


@pytest.mark.parametrize("limits", [False, True])
def test_the_limit_follows_the_weights(limits: bool) -> None:
    memory = Memory()
    kept = KeepWired(memory, Clock(), limits=limits)
    kept.add("a", 100, Holder())
    kept.add("b", 50, Holder())
    kept.remove("a")
    kept.remove("a")
    kept.remove("b")
    assert memory.limits == ([100, 150, 50, 0] if limits else [])


def test_mlx_gives_back_what_it_caches_before_its_limit_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a warm-up left is no weight, and would be wired before some of them."""
    calls: list[Any] = []
    monkeypatch.setattr(mx, "clear_cache", lambda: calls.append("clear_cache"))
    monkeypatch.setattr(mx, "set_wired_limit", calls.append)
    kept = KeepWired(MlxMemory(), Clock(), limits=True)
    kept.add("a", 100, Holder())
    kept.remove("a")
    assert calls == ["clear_cache", 100, "clear_cache", 0]


def test_pulses_are_regular_and_a_touch_is_one() -> None:
    memory, clock = Memory(), Clock()
    kept = KeepWired(memory, clock)
    kept.add("a", 100, Holder())
    for _ in range(10):
        assert kept.pulse() is None
        assert kept.wait() <= PULSE + 1e-6
        clock.now += PULSE / 4
    assert memory.evaluations == 3  # at 0, 0.5 and 1.0 s
    kept.touch("a")
    assert memory.touched == [2] and kept.wait() == pytest.approx(PULSE)
    kept.touch("unknown")
    assert memory.touched == [2]


@pytest.mark.parametrize("error", [RuntimeError("no Metal here"), ValueError("too much")])
def test_what_is_refused_turns_it_off_and_is_said_once(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory()
    kept = KeepWired(memory, Clock(), limits=True)
    memory.fails = error
    kept.add("a", 100, Holder())
    memory.fails = None
    kept.add("b", 100, Holder())
    assert kept.touch("a") is None and kept.pulse() is None and not kept.on
    assert (memory.limits, memory.evaluations, memory.touched) == ([], 0, [])
    assert [record.getMessage() for record in caplog.records] == [f"keep_wired has no effect here: {error}"]


def test_a_gpu_that_failed_is_told() -> None:
    memory = Memory()
    kept = KeepWired(memory, Clock())
    kept.add("a", 100, Holder())
    memory.fails = GONE
    assert kept.pulse() is GONE and kept.touch("a") is GONE and kept.on


@pytest.mark.parametrize(
    ("setting", "device", "on"),
    [
        ("auto", "gpu", True),
        ("auto", "cpu", False),
        ("off", "gpu", False),
        ("touch", "cpu", True),
        ("limit", "gpu", True),
    ],
)
def test_what_the_setting_means(setting: str, device: str, on: bool) -> None:
    assert keep_wired(setting, device, Clock()).on is on


def test_the_weights_of_an_engine_are_found_once_each() -> None:
    holder = Holder()
    holder.layers.append(holder.layers[0])
    holder.again = holder  # type: ignore[attr-defined]
    assert sorted(array.nbytes for array in weights_of(holder)) == [4 * SMALL, 8 * SMALL]


class Slotted:
    """Holds an array in a slot, and is called through a method."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held = mx.zeros((SMALL,))

    def run(self, x: mx.array, scale: mx.array) -> mx.array:
        return self.held * scale + x


Slotted.__module__ = "speechmlx.engines.slotted"


def test_weights_are_found_in_partials_methods_slots_and_compiled_functions() -> None:
    def scaled(x: mx.array) -> mx.array:
        return x * scale

    scaled.__module__, scale = "speechmlx.engines.slotted", mx.zeros((SMALL, 5))
    methods = [partial(Slotted().run, mx.zeros((SMALL, 2)), scale=mx.zeros((SMALL, 3))), Slotted().run]
    sizes = sorted(array.nbytes // SMALL for array in weights_of([*methods, mx.compile(scaled)]))
    assert sizes == [4, 4, 8, 12, 20]


def test_the_room_of_an_engine_leads_to_no_other_model(memory: Memory) -> None:
    """Else it would be touched with them, and hold them when they are unloaded."""
    made, mine = bench("touch"), Holder()
    made.worker._wired.add("other", 1, Holder())
    mine.room = ModelRoom("mine", 0, made.worker)  # type: ignore[attr-defined]
    assert len(weights_of(mine)) == 2


def test_nothing_of_this_harms_mlx_on_a_cpu() -> None:
    clock = Clock()
    kept = keep_wired("limit", "cpu", clock)
    net = network()
    mx.eval(weights_of(net))
    kept.add("whisper", 1_000_000, net)
    before = mx.get_active_memory()
    assert kept.touch("whisper") is None
    clock.now += 1
    assert kept.pulse() is None
    kept.remove("whisper")
    assert kept.on
    assert mx.get_active_memory() - before < SMALL


# --- in the worker ---


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    memory = Memory()
    monkeypatch.setattr(wired, "MlxMemory", lambda: memory)
    return memory


def bench(setting: str) -> Bench:
    made = Bench()
    made.worker.handle(Setup(2_000_000_000, 0.0, keep_wired=setting))
    return made


def test_a_live_session_keeps_the_worker_awake_and_no_other_work_does(memory: Memory) -> None:
    made = bench("touch")
    made.speak("steps=1")
    made.run()
    assert memory.evaluations == 0 and made.worker.patience() > 1
    job = made.start(Enhance(), "scripted-enhance")
    for _ in range(40):
        assert made.worker.patience() <= PULSE + 1e-6
        made.now += 0.1
        made.run()
    assert memory.evaluations == 8
    assert made.worker.keeps_wired
    made.worker.handle(CancelJob(job))
    made.run()
    assert not made.worker.keeps_wired and made.worker.patience() > 1


def test_a_load_of_a_model_in_memory_touches_it(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wired, "weights_of", lambda engine: [engine])
    made = bench("limit")
    name = scripted.ROW.name
    made.start(Load(model=name))
    made.run()
    loaded = len(memory.touched)
    made.start(Load(model=name))
    made.run()
    assert len(memory.touched) == loaded + 1
    made.start(Unload(model=name))
    made.run()
    assert memory.limits[-1] == 0 and memory.limits[0] > 0


def test_the_weights_of_a_model_are_gone_when_the_limit_is_lowered(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else MLX would unwire any weights until the others fit: perhaps those of models that stay."""

    def found(engine: Any) -> list[mx.array]:
        engine.itself, engine.weights = engine, mx.ones((SMALL, 16))  # a cycle, as of engines and their callbacks
        mx.eval(engine.weights)
        return [engine.weights]

    monkeypatch.setattr(wired, "weights_of", found)
    made = bench("limit")
    MlxMemory().free()
    before = memory_in_use()
    made.start(Load(model=scripted.ROW.name))
    made.run()
    made.start(Unload(model=scripted.ROW.name))
    made.run()
    assert memory.held[0] - before >= 64 * SMALL
    assert memory.held[-1] - before < SMALL


def test_without_the_setting_nothing_is_called(memory: Memory) -> None:
    made = bench("off")
    made.start(Load(model=scripted.ROW.name))
    made.start(Enhance(), "scripted-enhance")
    made.now += 10
    made.run()
    assert (memory.limits, memory.evaluations, memory.touched) == ([], 0, [])
    assert not made.worker.keeps_wired


def test_a_gpu_that_fails_in_a_pulse_ends_the_process(memory: Memory) -> None:
    made = bench("touch")
    made.start(Enhance(), "scripted-enhance")
    memory.fails = GONE
    with pytest.raises(SystemExit) as ended:
        made.run()
    assert ended.value.code == DEVICE_FAILED


def test_a_gpu_that_fails_in_a_touch_ends_the_process(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wired, "weights_of", lambda engine: [engine])
    made = bench("touch")
    made.start(Load(model=scripted.ROW.name))
    made.run()
    memory.fails = GONE
    job = made.start(Load(model=scripted.ROW.name))
    with pytest.raises(SystemExit) as ended:
        made.run()
    assert ended.value.code == DEVICE_FAILED
    assert made.end(job).failure is not None
