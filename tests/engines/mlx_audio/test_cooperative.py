from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from support.compilation import compilation

from speechmlx.engines.mlx_audio import cooperative
from speechmlx.engines.mlx_audio.cooperative import Emit, hook, steps
from speechmlx.types import TextDelta


class Stack(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(4, 4) for _ in range(5)]

    def __call__(self, x: mx.array) -> mx.array:
        for layer in self.layers:
            x = layer(x)
        return x


@pytest.fixture
def stack() -> Stack:
    made = Stack()
    hook(made)
    return made


def draw(emit: Emit) -> None:
    """Random numbers of the global state, with pauses in between."""
    stack = Stack()
    hook(stack)
    for _ in range(3):
        emit(TextDelta(str(mx.random.normal((2,)).tolist())))
        mx.eval(stack(mx.ones((1, 4))))


def texts(job: Iterator[object]) -> list[str]:
    return [event.text for event in job if isinstance(event, TextDelta)]


def test_a_call_is_cut_after_each_layer(stack: Stack, every_layer: None) -> None:
    found = []
    expected = np.array(stack(mx.ones((1, 4))))

    def work(emit: Emit) -> None:
        found.append(np.array(stack(mx.ones((1, 4)))))

    assert list(steps(work, 0)) == [None] * 5
    np.testing.assert_array_equal(found[0], expected)


def test_short_layers_share_a_step(stack: Stack) -> None:
    assert list(steps(lambda emit: mx.eval(stack(mx.ones((1, 4)))), 0)) == []


def test_outside_of_a_job_a_hooked_layer_is_itself(stack: Stack) -> None:
    layer = stack.layers[0]
    assert isinstance(layer, nn.Linear) and type(layer).__name__ == "Linear"
    hook(stack)
    assert type(layer).__mro__.count(cooperative._Hooked) == 1


def test_random_numbers_belong_to_a_job(every_layer: None) -> None:
    lone = texts(steps(draw, 1)), texts(steps(draw, 2))
    assert lone[0] != lone[1]
    mx.random.seed(5)
    outside = mx.random.normal((4,)).tolist()
    mx.random.seed(5)
    first, second, both = steps(draw, 1), steps(draw, 2), ([], [])  # type: ignore[var-annotated]
    drawn = []
    for _ in range(2):
        for job, found in zip((first, second), both, strict=True):
            found.extend(event.text for event in [next(job)] if isinstance(event, TextDelta))
        drawn.append(mx.random.normal((2,)).tolist())
    for job, found in zip((first, second), both, strict=True):
        found.extend(texts(job))
    assert both == lone
    mx.random.seed(5)
    assert drawn == [mx.random.normal((2,)).tolist(), mx.random.normal((2,)).tolist()] and outside


def test_a_stream_that_a_job_opens_is_its_own(stack: Stack, every_layer: None) -> None:
    other, before = mx.new_stream(mx.default_device()), mx.default_stream(mx.default_device())

    def work(emit: Emit) -> None:
        with mx.stream(other):
            mx.eval(stack(mx.ones((1, 4))))
            assert mx.default_stream(mx.default_device()) == other

    job = steps(work, 0)
    assert next(job) is None
    assert mx.default_stream(mx.default_device()) == before
    assert list(job) == [None] * 4
    assert mx.default_stream(mx.default_device()) == before


def test_what_a_job_prints_is_logged(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    out = sys.stdout

    def work(emit: Emit) -> None:
        print("from the package\nand ", end="")
        emit(TextDelta("x"))
        print("more")

    with caplog.at_level(logging.DEBUG, "speechmlx.engines.mlx_audio.cooperative"):
        job = steps(work, 0)
        next(job)
        assert sys.stdout is out
        list(job)
    assert [record.getMessage() for record in caplog.records] == ["mlx-audio: from the package", "mlx-audio: and more"]
    assert capsys.readouterr().out == ""


def test_closing_ends_the_work_where_it_stands(stack: Stack, every_layer: None) -> None:
    ends = []

    def work(emit: Emit) -> None:
        try:
            stack(mx.ones((1, 4)))
        finally:
            ends.append("unwound")
            emit(TextDelta("not heard"))

    job = steps(work, 0)
    next(job)
    job.close()  # type: ignore[attr-defined]
    assert ends == ["unwound"]
    never = steps(work, 0)
    never.close()  # type: ignore[attr-defined]
    assert ends == ["unwound"]


def test_an_error_of_the_work_reaches_the_caller(stack: Stack, every_layer: None) -> None:
    def work(emit: Emit) -> None:
        stack(mx.ones((1, 4)))
        raise ValueError("it broke")

    job = steps(work, 0)
    assert [next(job) for _ in range(5)] == [None] * 5
    with pytest.raises(ValueError, match="it broke"):
        next(job)
    assert list(steps(lambda emit: None, 0)) == []


def test_a_function_that_is_being_compiled_is_not_cut(stack: Stack, every_layer: None) -> None:
    expected = np.array(stack(mx.ones((1, 4))))
    with compilation(True):
        compiled, found = mx.compile(stack), []
        assert list(steps(lambda emit: found.append(np.array(compiled(mx.ones((1, 4))))), 0)) == []
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)
