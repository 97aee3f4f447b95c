"""What `scripts/bench kernels` counts: kernels, waits of the host and weights, of graphs that are known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from support.compilation import compilation
from support.metal_arithmetic import metal_arithmetic

sys.path.append(str(Path(__file__).parent))
import big_models
import kernels
import run
from graphs import Watch, arrays_of

from speechmlx.models.catalog import CATALOG

X = mx.random.normal((4, 8))
W = mx.random.normal((8, 8))
mx.eval(X, W)


@pytest.mark.parametrize("compiling", [False, True])
@pytest.mark.parametrize("narrow", [False, True])
def test_kernels_are_those_of_a_gpu(narrow: bool, compiling: bool) -> None:
    """Also with Metal's arithmetic for narrow types around it, and where the process compiles nothing, as on a CPU."""
    x, w = (one.astype(mx.float16) if narrow else one for one in (X, W))
    mx.eval(x, w)
    with compilation(compiling), metal_arithmetic(), Watch() as watch:
        activate = mx.compile(lambda y: y * mx.sigmoid(y) + 1)
        y = activate(activate(mx.fast.layer_norm(x @ w.T, None, None, 1e-5)))
        mx.eval(mx.concatenate([y, mx.pad(y, 1)[:4, :8], y.T.reshape(4, 8)]))
        counts = watch.take()
    compiled = [name for name in counts.kernels if name.startswith("Compiled")]
    assert counts.kernels == {"__matmul__": 1, "layer_norm": 1, compiled[0]: 2, "Pad": 2, "Concatenate": 3}
    assert (counts.total, counts.reads) == (9, 1)


def test_every_engine_is_looked_at() -> None:
    """A new one is looked at too: here, or as a small model."""
    own = {model.engine for model in CATALOG.rows if not model.refusal}
    assert {kernels.engine_of(name) for name in kernels.LOOKS} == own


def test_what_is_evaluated_or_left_is_not_counted() -> None:
    with Watch() as watch:
        y = mx.sin(X)
        mx.fast.rms_norm(y, None, 1e-5)  # nobody wants it
        mx.eval(y)
        mx.eval(y)
        assert (watch.take().total, watch.take().total) == (1, 0)
        mx.eval(mx.cos(y))
        assert watch.take().kernels == {"Cos": 1}


def test_a_graph_of_more_arrays_than_one_export_names() -> None:
    with Watch() as watch:
        watch.weigh([W])
        y = X
        for _ in range(700):
            y = mx.fast.rms_norm(y @ W, None, 1e-5)
        mx.eval(y)
        counts = watch.take()
    assert counts.kernels == {"__matmul__": 700, "rms_norm": 700}
    assert counts.weights == 700 * W.nbytes


def test_an_operation_is_one_kernel_where_its_result_has_two_names() -> None:
    x = mx.ones((1, 2, 1, 8))
    mx.eval(x)
    with Watch() as watch:
        turned = mx.fast.rope(x, 8, traditional=True, base=1e4, scale=1.0, offset=3)
        mx.eval(turned[0:1])  # all of it: the same array for MLX, another one for Python
        assert watch.take().kernels == {"rope": 1}


def test_the_host_waits_once_for_what_it_reads() -> None:
    with Watch() as watch:
        y = mx.sin(X)
        mx.eval(y)
        np.array(y)
        assert y[0, 0].item() == pytest.approx(np.sin(np.array(X)[0, 0]))  # a view of its own, evaluated alone
        assert watch.take().reads == 1
        float(mx.sum(y))
        assert watch.take().reads == 1
        found = [mx.sum(y * number) for number in range(3)]
        for one in found:
            mx.async_eval(one)  # type: ignore[no-untyped-call]
        assert (watch.take().reads, found[1].item() == found[0].item()) == (0, False)
        assert watch.take().reads == 1  # the second comes after the first
        np.asarray(found[2])
        assert watch.take().reads == 1


def test_weights_are_read_by_kernels_through_views() -> None:
    layer, table = nn.Linear(8, 8), nn.Embedding(100, 8)
    mx.eval(layer.parameters(), table.parameters())
    with Watch() as watch:
        watch.weigh([layer, table])
        x = table(mx.array([3, 4]))
        mx.eval(layer(layer(x)))
        assert watch.take().weights == 2 * (8 * 8 + 8) * 4  # rows of a table are not the table
        mx.eval(table.as_linear(x))
        assert watch.take().weights == 100 * 8 * 4


def test_all_arrays_of_a_model_are_found() -> None:
    inner = mx.array(1.0)

    def layer(x: mx.array, scale: mx.array = W) -> mx.array:
        return x * scale + inner

    class Slotted:
        __slots__ = ("held",)

        def __init__(self) -> None:
            self.held = {"a": (mx.array(2.0),)}

    held: list[Any] = [layer, Slotted(), nn.Linear(2, 3)]
    assert len(arrays_of(held)) == 5


def test_a_big_model_is_zeros_that_take_no_place(tmp_path: Path) -> None:
    big_models.zeros({"a": ((1000, 1000, 10), mx.float16), "b": ((3,), mx.uint32)}, tmp_path)
    path = tmp_path / "model.safetensors"
    weights: Any = mx.load(str(path))
    assert weights["a"].shape == (1000, 1000, 10) and weights["b"].tolist() == [0, 0, 0]
    assert path.stat().st_blocks * 512 < 1_000_000 < path.stat().st_size


def test_tables_of_counts_have_their_own_place() -> None:
    begin, end = run.COUNTED["kernels"]
    document = f"before\n{begin}\nold\n{end}\nafter {run.BEGIN}"
    new = run.counted(document, "kernels", "mlx 1", "new")
    assert new.startswith(f"before\n{begin}\n\nCounted ") and new.endswith(f"{end}\nafter {run.BEGIN}")
    assert "with mlx 1.\n\n```text\nnew\n```" in new and "old" not in new
