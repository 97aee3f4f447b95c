"""The device's options, and freeing memory where MLX may not be imported."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import mlx.core as mx
import pytest

from speechmlx.engines import LoadOptions, cpu
from speechmlx.runtime.worker import blas, device


@pytest.mark.parametrize(
    ("kind", "options"),
    [("cpu", LoadOptions(dtype="float32", device="cpu")), ("gpu", LoadOptions(dtype="float16", device="gpu"))],
)
def test_how_models_are_loaded(kind: str, options: LoadOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[bool] = []
    limits: list[int] = []
    monkeypatch.setattr(cpu, "install", lambda: installed.append(True))
    monkeypatch.setattr(mx, "set_cache_limit", limits.append)
    chosen = mx.Device(mx.gpu if kind == "gpu" else mx.cpu, 0)
    monkeypatch.setattr(mx, "default_device", lambda: chosen)
    assert device.device() == (options, str(chosen))
    assert bool(installed) is (kind == "cpu") and bool(limits) is (kind == "gpu")


@pytest.mark.parametrize("imported", [True, False])
def test_clearing_frees_mlx_only_where_it_is_imported(imported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[str] = []
    monkeypatch.setattr(blas, "release", lambda: freed.append("allocator"))
    if imported:
        monkeypatch.setitem(sys.modules, "mlx.core", SimpleNamespace(clear_cache=lambda: freed.append("mlx")))
    else:
        monkeypatch.delitem(sys.modules, "mlx.core")
    device.clear_cache()
    assert freed == ["mlx"] * imported + ["allocator"]
