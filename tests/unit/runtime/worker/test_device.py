"""The device's options, and freeing memory where MLX may not be imported."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import mlx.core as mx
import pytest

from speechmlx.engines import LoadOptions, cpu
from speechmlx.errors import ModelUnavailable
from speechmlx.machine import memory_bytes
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
    monkeypatch.setattr(device, "_gpu_fault", lambda: None if kind == "gpu" else "it finds none")
    assert device.device() == (options, str(chosen))
    assert bool(installed) is (kind == "cpu")
    assert limits == ([int(0.05 * memory_bytes())] if kind == "gpu" else [])


CUDA = "cudaStreamSynchronize(stream_) failed: an illegal memory access was encountered"


def _raised(error: Exception, origin: Exception, cause: Exception | None) -> Exception:
    """`error`, raised while `origin` was handled, from `cause`."""
    try:
        try:
            raise origin
        except Exception:
            raise error from cause
    except Exception as told:
        return told


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (RuntimeError("[METAL] Command buffer execution failed: Caused GPU Timeout Error (00000002)"), True),
        (RuntimeError(CUDA), True),
        (RuntimeError("cuLaunchKernelEx(&config, func, params, nullptr) failed: unspecified launch failure"), True),
        (RuntimeError("cudaGraphLaunch(graph_exec, stream()) failed: out of memory"), True),
        (RuntimeError("cublasLtMatmul( handle_, matmul_desc_, encoder.stream()) failed with code: 14."), True),
        (RuntimeError("cudaMallocAsync(&data, size, stream) failed: an illegal memory access was encountered"), True),
        (RuntimeError("cudaMallocAsync(&data, size, stream) failed: out of memory"), False),
        (RuntimeError("[metal::malloc] Attempting to allocate 21474836480 bytes"), False),
        (RuntimeError("the current batch failed: the prompt is empty"), False),
        (ValueError(CUDA), False),
        (_raised(ModelUnavailable("damaged"), RuntimeError(CUDA), None), True),
        (_raised(KeyError("x"), _raised(OSError("y"), RuntimeError(CUDA), KeyError("z")), ValueError("w")), True),
        (_raised(KeyError("x"), OSError("y"), ValueError("z")), False),
    ],
)
def test_which_errors_say_that_the_gpu_failed(error: Exception, failed: bool) -> None:
    """Also one that was wrapped, or hidden by another."""
    assert device.has_failed(error) is failed


def test_errors_that_came_from_each_other_are_walked_once() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert not device.has_failed(one)


HERE = mx.default_device().type
needs_a_cpu = pytest.mark.skipif(mx.gpu == HERE, reason="MLX has a GPU here")


@needs_a_cpu
def test_a_gpu_that_is_wanted_and_is_none_is_an_error() -> None:
    with pytest.raises(device.NoGpu, match="MLX cannot compute on a GPU on this machine: it finds none"):
        device.device("gpu")


@needs_a_cpu
def test_a_gpu_that_does_not_compute_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As where Metal is missing: MLX names a GPU, and computing on it raises."""
    chosen, found = mx.default_device(), mx.Device(mx.gpu, 0)
    default = [found]
    monkeypatch.setattr(cpu, "install", lambda: None)
    monkeypatch.setattr(mx, "default_device", lambda: default[0])
    monkeypatch.setattr(mx, "set_default_device", lambda kind: default.__setitem__(0, chosen))
    with pytest.raises(device.NoGpu, match=r"cannot compute on a GPU on this machine: .*gpu"):
        device.device("gpu")
    assert device.device("auto") == (LoadOptions(dtype="float32", device="cpu"), str(chosen))
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "all is computed on the CPU: " in record.message


def test_the_cpu_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "install", lambda: None)
    monkeypatch.setattr(device, "_gpu_fault", lambda: None)
    chosen = mx.default_device()
    try:
        assert device.device("cpu") == (LoadOptions(dtype="float32", device="cpu"), str(mx.Device(mx.cpu, 0)))
    finally:
        mx.set_default_device(chosen)


@pytest.mark.parametrize(("kind", "told", "found"), [("gpu", 5, 5), ("gpu", None, 0), ("cpu", 5, 0)])
def test_what_a_gpu_recommends_to_use(kind: str, told: int | None, found: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu if kind == "gpu" else mx.cpu, 0))
    about = {} if told is None else {"max_recommended_working_set_size": told}
    monkeypatch.setattr(mx, "device_info", lambda: about)
    assert device.working_set() == found
    monkeypatch.delitem(sys.modules, "mlx.core")
    assert device.working_set() == 0


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
