"""What leaves memory, by tables."""

from __future__ import annotations

import pytest

from speechmlx.errors import Busy, ModelUnavailable, OutOfMemory
from speechmlx.runtime.worker import memory
from speechmlx.runtime.worker.memory import Resident, evict, expired, make_room

OLD, NEW = Resident("old", 30, last_used=1.0), Resident("new", 30, last_used=9.0)
PINNED = Resident("pinned", 30, last_used=0.0, pinned=True)
RUNNING = Resident("running", 30, last_used=0.0, running=True)


@pytest.mark.parametrize(
    ("why", "residents", "budget", "wanted", "leaving"),
    [
        ("it fits", [OLD, NEW], 100, 40, []),
        ("the longest unused leaves", [NEW, OLD], 100, 60, ["old"]),
        ("as many as needed", [NEW, OLD], 100, 90, ["old", "new"]),
        ("never a pinned or running one", [PINNED, RUNNING, NEW], 100, 40, ["new"]),
    ],
)
def test_evict(why: str, residents: list[Resident], budget: int, wanted: int, leaving: list[str]) -> None:
    assert evict(residents, budget, wanted, "new one") == leaving, why


@pytest.mark.parametrize(
    ("why", "others", "wanted", "leaving"),
    [
        ("it fits", [OLD, NEW], 20, []),
        ("an idle model leaves", [NEW, OLD], 30, ["old"]),
        ("never a pinned or running one", [PINNED, RUNNING], 20, []),
    ],
)
def test_requests_make_room(why: str, others: list[Resident], wanted: int, leaving: list[str]) -> None:
    assert make_room(others, 100, 20, wanted, "it") == leaving, why


def test_requests_that_others_leave_no_room_for_are_refused() -> None:
    with pytest.raises(Busy, match="one more request to the model it"):
        make_room([PINNED, RUNNING], 100, 20, 21, "it")


def test_no_room_is_an_error_with_the_numbers() -> None:
    mb = 1_000_000
    held = [Resident("a", 30 * mb, 0, pinned=True), Resident("b", 30 * mb, 0, running=True)]
    with pytest.raises(Busy, match=r"for the model big: 80 MB wanted, 100 MB allowed .*60 MB held"):
        evict([*held, Resident("c", 10 * mb, 0)], 100 * mb, 80 * mb, "big")


def test_what_never_fits_is_not_worth_another_try() -> None:
    with pytest.raises(
        ModelUnavailable, match=r"the model big needs 6168 MB .* may have 6010 MB.*--memory-limit"
    ) as refused:
        evict([OLD], 6_010_000_000, 6_168_000_000, "big")
    assert refused.value.retry_after is None


def test_expired_spares_pinned_and_running_and_young() -> None:
    assert expired([OLD, NEW, PINNED, RUNNING], now=10.0, idle_unload=5.0) == ["old"]
    assert expired([OLD], now=1e9, idle_unload=0.0) == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[malloc] Unable to allocate 900000000 bytes."),
        RuntimeError("[metal::malloc] Attempting to allocate 9 bytes which is greater than the maximum allowed"),
        RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory (00000008)"),
    ],
)
def test_an_error_of_memory_is_explained_with_the_numbers(error: Exception) -> None:
    residents = [Resident("a", 2_000_000, 0.0), Resident("b", 3_000_000, 0.0)]
    explained = memory.explained(error, "a", 7_000_000, residents, 9_000_000)
    assert isinstance(explained, OutOfMemory)
    assert "for the model a" in explained.message
    assert "MLX holds 7 MB, the models are 5 MB of the 9 MB allowed" in explained.message
    assert (str(error) or "MemoryError") in explained.message


def test_other_errors_stay_as_they_are() -> None:
    for error in (ValueError("malloc"), RuntimeError("shapes differ")):
        assert memory.explained(error, "a", 0, [], 0) is error
