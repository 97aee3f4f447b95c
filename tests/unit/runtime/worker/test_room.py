"""What the requests of a model may hold beside the weights of all models."""

from __future__ import annotations

import pytest

from speechmlx.errors import Busy
from speechmlx.runtime.worker.memory import Resident
from speechmlx.runtime.worker.room import ModelRoom

MB = 1_000_000


class Held:
    """Models in memory: the language model with its requests, and others."""

    def __init__(self, *residents: Resident) -> None:
        self.budget = 1000 * MB
        self.dropped: list[str] = []
        self._residents = list(residents)

    def residents(self) -> list[Resident]:
        return [resident for resident in self._residents if resident.name not in self.dropped]

    def drop(self, name: str) -> None:
        self.dropped.append(name)


LLM = Resident("llm", 350 * MB, last_used=0.0, running=True)  # of which 300 MB are weights


def test_what_there_is_and_what_is_free() -> None:
    room = ModelRoom("llm", 300 * MB, Held(LLM, Resident("asr", 200 * MB, 5.0)))
    assert (room.most, room.reachable, room.free) == (700 * MB, 700 * MB, 450 * MB)


@pytest.mark.parametrize("kept", [{"pinned": True}, {"running": True}])
def test_what_cannot_leave_is_out_of_reach(kept: dict[str, bool]) -> None:
    room = ModelRoom("llm", 300 * MB, Held(LLM, Resident("asr", 200 * MB, 5.0, **kept), Resident("tts", MB, 1.0)))
    assert (room.most, room.reachable, room.free) == (700 * MB, 500 * MB, 449 * MB)


@pytest.mark.parametrize(
    ("wanted", "dropped"),
    [(400, []), (500, []), (501, ["asr"]), (700, ["asr"])],
)
def test_idle_models_leave_for_requests(wanted: int, dropped: list[str]) -> None:
    models = Held(LLM, Resident("asr", 200 * MB, 5.0))
    ModelRoom("llm", 300 * MB, models).claim(wanted * MB)
    assert models.dropped == dropped


def test_what_others_hold_is_told_with_the_numbers() -> None:
    models = Held(LLM, Resident("asr", 200 * MB, 5.0, running=True), Resident("tts", 100 * MB, 1.0))
    with pytest.raises(Busy) as refused:
        ModelRoom("llm", 300 * MB, models).claim(501 * MB)
    assert refused.value.retry_after == 5.0
    assert refused.value.message == (
        "not enough memory for one more request to the model llm: the keys and values of its requests would be 501 MB, "
        "its weights are 300 MB, 1000 MB are allowed (--memory-limit), and 200 MB are held by other models that are "
        "pinned or running"
    )
    assert models.dropped == [], "nothing leaves in vain"


def test_its_own_requests_may_be_what_is_in_the_way() -> None:
    with pytest.raises(Busy, match=r"would be 701 MB, its weights are 300 MB, .* and 0 MB are held by other"):
        ModelRoom("llm", 300 * MB, Held(LLM)).claim(701 * MB)
