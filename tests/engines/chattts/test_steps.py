"""Steps of ChatTTS: a draw or other work, and what they compute does not depend on their size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.engine_runs import run, sound, told
from support.tiny_chattts import endless, write_folder

from speechmlx.engines import LoadOptions, Paced, chattts
from speechmlx.engines.chattts import manner
from speechmlx.engines.chattts.engine import ChatTts
from speechmlx.engines.chattts.sequences import ChatSequence
from speechmlx.engines.step_size import StepSize
from speechmlx.types import Speak

PLAIN = {"skip_refine_text": True}
SENTENCES = "The first one is said here, and it is long enough. The second one is said after it, as long as that."


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any], cold: LoadOptions) -> ChatTts:
    """A model that speaks until it is cut off."""
    return loaded(chattts.load(write_folder(tmp_path_factory.mktemp("talkative"), endless()), cold))


def test_it_is_paced(talkative: ChatTts) -> None:
    assert isinstance(talkative, Paced)


def test_the_size_of_steps_changes_no_sample(talkative: ChatTts, monkeypatch: pytest.MonkeyPatch) -> None:
    request = Speak(text="It is all.", options=PLAIN)
    monkeypatch.setattr(talkative, "_piece", StepSize(64, 64, 64))
    whole = sound(run(talkative, request)[0])
    read = list[int]()
    for size in (1, 5):
        monkeypatch.setattr(talkative, "_piece", StepSize(size, size, size))
        monkeypatch.setattr(talkative.pace, "_sizes", defaultdict(lambda: StepSize(1, 1, 1)))
        monkeypatch.setattr(talkative._loop, "read", noted(read, talkative._loop.read))
        np.testing.assert_allclose(sound(run(talkative, request)[0]), whole, rtol=0, atol=3 / 32768)
        assert max(read) == size
        monkeypatch.undo()
        read.clear()


def noted(read: list[int], function: Callable[[ChatSequence, int], int]) -> Callable[[ChatSequence, int], int]:
    def run(sequence: ChatSequence, most: int) -> int:
        read.append(function(sequence, most))
        return read[-1]

    return run


def test_a_step_is_a_draw_or_other_work(talkative: ChatTts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manner, "FRAMES_EACH", 4)
    done = list[str]()
    draw, work_on = talkative._draw, talkative._work
    monkeypatch.setattr(talkative, "_draw", told(done, "d", draw))
    monkeypatch.setattr(talkative, "_work", told(done, "w", work_on))
    states = [talkative.begin(Speak(text=SENTENCES, options=PLAIN)) for _ in range(2)]
    steps = list[str]()
    while live := [state for state in states if not state.finished]:
        talkative.step(live)
        steps.append("".join(done))
        done.clear()
    for state in states:
        talkative.end(state)
    assert set(steps) <= {"d", "w", ""} and "dwwd" in "".join(steps)
