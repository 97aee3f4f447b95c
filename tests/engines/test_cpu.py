"""Our convolutions are mlx's, only faster."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.compilation import compilation

from speechmlx.engines import cpu
from speechmlx.engines.cpu import attention, product
from speechmlx.models.catalog import CATALOG

pytestmark = pytest.mark.skipif(mx.default_device().type != mx.DeviceType.cpu, reason="CPU backend only")

sizes = st.integers(1, 6)


def random(*shape: int) -> mx.array:
    return mx.array(np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32))


def same(ours: mx.array, original: mx.array) -> None:
    assert ours.shape == original.shape and ours.dtype == original.dtype
    assert np.abs(np.array(ours) - np.array(original)).max(initial=0) < 1e-5 * max(1.0, float(mx.abs(original).max()))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_conv1d_equals_the_original(data: st.DataObject) -> None:
    groups, per_group = data.draw(st.integers(1, 3)), data.draw(sizes)
    x = random(data.draw(st.integers(1, 3)), data.draw(st.sampled_from([1, 5, 40, 1100])), groups * per_group)
    weight = random(groups * data.draw(sizes), data.draw(st.integers(1, 7)), per_group)
    stride, padding, dilation = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 6)), data.draw(sizes)
    assume(x.shape[1] + 2 * padding > dilation * (weight.shape[1] - 1))  # or mlx, with a stride, reads past the end
    same(
        cpu.conv1d(x, weight, stride, padding, dilation, groups),
        cpu._conv1d(x, weight, stride, padding, dilation, groups),
    )


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_conv_transpose1d_equals_the_original(data: st.DataObject) -> None:
    groups, out = data.draw(st.integers(1, 4)), data.draw(sizes)
    channels = data.draw(st.sampled_from([1, groups, 3 * groups])) if groups > 1 else data.draw(sizes)
    if channels % groups:
        channels = groups
    out = channels if channels == groups else groups * out
    stride, taps = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 9))
    x = random(data.draw(st.integers(1, 2)), data.draw(st.integers(1, 30)), channels)
    weight = random(out, taps, channels // groups)
    padding, extra = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 2))
    options: dict[str, Any] = dict(
        stride=stride, padding=padding, dilation=data.draw(st.integers(1, 2)), output_padding=extra
    )
    if (x.shape[1] - 1) * stride + taps - 2 * padding + extra > 0:
        try:
            expected = cpu._conv_transpose1d(x, weight, groups=groups, **options)
        except ValueError:
            with pytest.raises(ValueError, match="conv"):
                cpu.conv_transpose1d(x, weight, groups=groups, **options)
        else:
            same(cpu.conv_transpose1d(x, weight, groups=groups, **options), expected)


def test_other_types_go_to_the_original() -> None:
    x, weight = random(1, 50, 4).astype(mx.float16), random(3, 5, 4).astype(mx.float16)
    assert mx.array_equal(cpu.conv1d(x, weight, dilation=2), cpu._conv1d(x, weight, dilation=2))


def test_layers_of_mlx_use_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    x = random(1, 64, 8)
    for layer, name in (
        (nn.Conv1d(8, 4, 3, dilation=3), "conv1d"),
        (nn.ConvTranspose1d(8, 4, 6, 3), "conv_transpose1d"),
    ):
        calls: list[int] = []
        ours = getattr(mx, name)
        monkeypatch.setattr(mx, name, lambda *a, ours=ours, calls=calls, **k: calls.append(1) or ours(*a, **k))
        layer(x)
        assert ours is getattr(cpu, name) and calls == [1]


def test_a_dilated_convolution_is_many_times_faster() -> None:
    x, weight = random(1, 2000, 128), random(128, 7, 128)

    def best(run: Callable[..., mx.array]) -> float:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            mx.eval(run(x, weight, 1, 9, 3))
            times.append(time.perf_counter() - start)
        return min(times)

    assert best(cpu.conv1d) < best(cpu._conv1d) / 5


@pytest.mark.parametrize("shape", [(1,), (1, 1), (2,), (1, 2), (2, 1)])
@pytest.mark.parametrize("bias", [True, False])
def test_products_of_one_row_or_two_equal_the_originals(shape: tuple[int, ...], bias: bool) -> None:
    linear, embedding = nn.Linear(600, 1000, bias=bias), nn.Embedding(1000, 600)
    linear.weight = embedding.weight = random(1000, 600)
    x = random(*shape, 1200)[..., ::2]
    assert product.rows(x, linear.weight) is not None
    same(linear(x), product._linear(linear, x))
    same(embedding.as_linear(x), product._as_linear(embedding, x))


def test_products_that_mlx_does_as_well_are_left_to_it() -> None:
    weight, row = random(1000, 600), random(1, 600)
    for x, matrix in (
        (random(3, 600), weight),
        (row[:0], weight),
        (row, weight[:100]),
        (row, random(600, 1000).T),
        (row.astype(mx.float16), weight.astype(mx.float16)),
    ):
        assert product.rows(x, matrix) is None
        layer = nn.Linear(1, 1, bias=False)
        layer.weight = matrix
        assert mx.array_equal(layer(x), x @ matrix.T)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="matmul"):
        nn.Linear(600, 1000, bias=False)(random(1, 300))


def test_a_compiled_network_keeps_mlx_s_products() -> None:
    layer, x = nn.Linear(600, 1000), random(1, 600)
    with compilation(True):
        same(mx.compile(layer)(x), layer(x))


@pytest.mark.parametrize("length", [20, 600])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_equals_the_fused_one(length: int, masked: bool) -> None:
    q, k, v = (random(2, 3, length + i, 16)[:, :, :length] for i in range(3))
    mask = mx.triu(mx.full((1, 1, length, length), -1e9), 1) if masked else None
    same(cpu.attend(q, k, v, 0.25, mask), attention.ORIGINAL(q, k, v, scale=0.25, mask=mask))


@pytest.mark.parametrize("rows", [1, 600])
def test_attention_of_many_tokens_to_audio_of_two_lengths(rows: int) -> None:
    q, k, v = random(2, 3, 600, 16), random(2, 3, 700, 16), random(2, 3, 700, 16)
    mask = mx.where(mx.arange(700) < mx.array([[500], [700]]), 0.0, -1e9)[:, None, None]
    mask = mx.broadcast_to(mask, (2, 1, rows, 700))
    same(cpu.attend(q, k, v, 0.25, mask), attention.ORIGINAL(q, k, v, scale=0.25, mask=mask))


@pytest.mark.parametrize("masked", [False, True])
def test_attention_of_one_token_equals_the_fused_one(masked: bool) -> None:
    q, k, v = random(2, 3, 1, 16), random(2, 3, 700, 16), random(2, 3, 701, 16)[:, :, 1:]
    mask = mx.where(mx.arange(700) < mx.array([[500], [700]]), 0.0, -1e9)[:, None, None] if masked else None
    same(cpu.attend(q, k, v, 0.25, mask), attention.ORIGINAL(q, k, v, scale=0.25, mask=mask))


def test_what_is_refused_is_refused_as_before() -> None:
    with pytest.raises(ValueError, match="conv"):
        cpu.conv1d(random(1, 2, 3), random(4, 5, 3))
    with pytest.raises(ValueError, match="conv"):
        cpu.conv1d(random(1, 2000, 3), random(4, 5, 2))


def test_loading_for_a_gpu_brings_nothing_of_this_in(model_folder: Callable[[str], Path]) -> None:
    rows = [CATALOG.resolve(name) for name in CATALOG.of_profile("starter").values()]
    folders = {str(model_folder(row.name)): row.engine.partition(":")[0] for row in rows}
    code = f"""
import importlib, sys
from pathlib import Path
from typing import Any
from speechmlx.engines import LoadOptions
for folder, module in {folders!r}.items():
    for _ in importlib.import_module(module).load(Path(folder), LoadOptions("float16", "gpu", warm_up=False)):
        pass
print(*(name for name in sys.modules if name.startswith("speechmlx.engines")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert set(folders.values()) <= set(done.stdout.split())
    assert not [name for name in done.stdout.split() if name.startswith("speechmlx.engines.cpu")]
