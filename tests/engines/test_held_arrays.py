"""Of every engine: its `nbytes` is what it holds, and its arrays are found, however it holds them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from support.every_engine import EVERY_ENGINE

from speechmlx.engines import LoadOptions
from speechmlx.engines.parts.held_arrays import arrays_of
from speechmlx.models.catalog import CATALOG
from speechmlx.runtime.worker.wired import SMALL, MlxMemory, weights_of

SILERO, FSMN = 1_236_484, 1_718_152
IN_NUMPY = {"silero": SILERO, "ecapa": SILERO, "fsmn_vad": FSMN, "paraformer": FSMN, "sensevoice": FSMN}
"""Bytes of weights that are not MLX's."""
ROUNDED, REUSED = 512, 1 << 18
"""Bytes that an allocator may add to those of an array, and to all where it uses larger buffers again."""
AS_ON = {
    "cpu": LoadOptions(dtype="float32", device="cpu", warm_up=False),
    "gpu": LoadOptions(dtype="float16", device="gpu", warm_up=False),
}


def alive() -> dict[int, mx.array]:
    """All arrays of the process, by their identity."""
    gc.collect()
    return {id(one): one for one in gc.get_objects() if isinstance(one, mx.array)}


def test_no_engine_is_left_out() -> None:
    rows = {row.engine.partition(":")[0] for row in CATALOG.rows if not row.refusal}
    assert {f"speechmlx.engines.{module}" for module, _ in EVERY_ENGINE.values()} == rows


@pytest.mark.parametrize("device", AS_ON)
@pytest.mark.parametrize("name", EVERY_ENGINE)
def test_nbytes_is_what_an_engine_holds_and_all_of_it_is_found(
    name: str, device: str, model_folder: Callable[[str], Path], loaded: Callable[..., Any], tmp_path: Path
) -> None:
    module, write = EVERY_ENGINE[name]
    folder, load = write(tmp_path, model_folder), import_module(f"speechmlx.engines.{module}").load
    loaded(load(folder, AS_ON[device]))  # what its modules keep for all models is not its own
    others, before = alive(), mx.get_active_memory()
    engine = loaded(load(folder, AS_ON[device]))
    found = {id(one): one for one in arrays_of(engine)}
    mx.eval([*found.values()])
    missed = [one.shape for id, one in alive().items() if id not in others.keys() | found.keys() and one.size > 2]
    assert not missed, "found through attributes, containers, closures and what functions are bound to"
    nbytes = sum(one.nbytes for one in found.values())
    assert engine.nbytes == pytest.approx(nbytes + IN_NUMPY.get(name, 0), rel=0.02)
    assert mx.get_active_memory() - before == pytest.approx(nbytes, rel=0.03, abs=ROUNDED * len(found) + REUSED)
    weights = weights_of(engine)
    assert {id(one) for one in weights} == {id for id, one in found.items() if one.nbytes >= SMALL}
    if weights:
        MlxMemory().touch(weights)
