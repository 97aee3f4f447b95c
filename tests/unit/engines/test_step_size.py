"""How the size of a step follows the time that steps take."""

from __future__ import annotations

import pytest

from speechmlx.engines.step_size import StepSize

AIM = 0.04


class Machine:
    """A clock, and steps that take time on it: `fixed` seconds and `per_unit` seconds for each unit."""

    def __init__(self, per_unit: float, fixed: float = 0.0, first: int = 32) -> None:
        self.now, self.per_unit, self.fixed = 0.0, per_unit, fixed
        self.size = StepSize(first, 16, 512, lambda: self.now)

    def step(self, units: int | None = None, extra: float = 0.0, aim: float = AIM) -> int:
        """One step; the size of the next."""
        units = self.size.units(aim) if units is None else units
        with self.size.timed(aim, units):
            self.now += self.fixed + self.per_unit * units + extra
        return self.size.units(aim)


@pytest.mark.parametrize(
    ("per_unit", "fixed", "sizes"),
    [
        (0.001, 0.0, [32, 32, 32, 32]),  # 32 ms
        (0.0018, 0.0, [32, 32, 32]),  # 58 ms, within SLOW
        (0.00002, 0.0, [64, 128, 256, 512, 512]),
        (0.0005, 0.0, [64, 64, 64]),  # 32 ms; 64 ms would be too long
        (0.003, 0.0, [32, 16, 16, 16]),
        (0.1, 0.0, [32, 16, 16, 16]),  # no less than the least
        (0.0001, 0.018, [32, 32, 32]),  # 21 ms, of which the most is not by the unit
    ],
)
def test_sizes_settle(per_unit: float, fixed: float, sizes: list[int]) -> None:
    machine = Machine(per_unit, fixed)
    assert [machine.step() for _ in sizes] == sizes


def test_a_size_that_is_far_too_large_falls_at_once() -> None:
    machine = Machine(0.003, first=512)  # 1.5 s
    assert [machine.step() for _ in range(4)] == [512, 16, 16, 16], "13 units fit, but 16 is the least"
    machine = Machine(0.001, first=512)
    assert [machine.step() for _ in range(4)] == [512, 32, 32, 32]


@pytest.mark.parametrize("before", range(4))
def test_one_slow_step_changes_nothing(before: int) -> None:
    machine = Machine(0.001)
    for _ in range(before):  # none: the first step, which compiles kernels
        machine.step()
    assert machine.step(extra=3.0) == 32
    assert [machine.step() for _ in range(3)] == [32, 32, 32]
    assert machine.step(extra=3.0) == 32, "slow steps do not add up over others"


def test_two_slow_steps_running_count_as_the_faster() -> None:
    machine = Machine(0.001, first=512)
    machine.step(extra=60.0)
    assert machine.step() == 32


def test_the_rest_of_a_prompt_makes_no_step_longer_but_may_make_it_shorter() -> None:
    machine = Machine(0.0001)
    assert machine.step(units=1) == machine.step(units=16) == 32
    assert machine.step(units=17) == 64, "more than half of a step tells enough"
    machine = Machine(0.01)
    machine.step(units=10)
    assert machine.step(units=10) == 16


@pytest.mark.parametrize("rest", [1, 44, 140, 200])
def test_the_rest_of_a_prompt_does_not_hide_that_whole_steps_are_slow(rest: int) -> None:
    machine = Machine(0.00015, first=256)  # 38 ms
    machine.step()
    machine.per_unit *= 2  # from here on 77 ms; a rest takes less than SLOW times the aim
    for _ in range(3):
        for units in (256, rest):
            if machine.size.units(AIM) == 256:
                machine.step(units)
    assert machine.size.units(AIM) == 128


def test_a_fast_step_ends_a_slow_time() -> None:
    machine = Machine(0.00001)
    for _ in range(10):
        machine.step()
    machine.step(extra=1.0), machine.step(extra=1.0)
    assert machine.size.units(AIM) < 512
    assert [machine.step() for _ in range(12)][-1] == 512


def test_each_aim_has_its_size() -> None:
    machine = Machine(0.001)
    for _ in range(5):
        machine.step(aim=0.15)
        machine.step(aim=AIM)
    assert (machine.size.units(0.15), machine.size.units(AIM)) == (128, 32)


def test_work_that_fails_teaches_nothing() -> None:
    machine = Machine(0.0)
    with pytest.raises(RuntimeError, match="failed"), machine.size.timed(AIM, 32):
        raise RuntimeError("failed")
    assert machine.size.units(AIM) == 32
