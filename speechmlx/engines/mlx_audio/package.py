"""Imports one family of mlx-audio: no other family's code, nothing from the network, no code of a repository."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import NoReturn

from speechmlx.errors import ModelUnavailable

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
"""The environment of a process in which nothing is fetched behind the catalog's back."""
EAGER = ("stt", "sts", "codec", "vad", "lid")
"""Parts of the package whose `models` import many families at once."""
CHANGES_MLX = "_enable_fast_layer_norm"
"""A method by which a family changes a layer of MLX for all models: to what the layer does anyway."""
DYNAMIC = "transformers.dynamic_module_utils"
RUNS_CODE = "get_class_from_dynamic_module"
"""The one function of transformers that runs code of a repository."""


def family(part: str, name: str) -> types.ModuleType:
    """The module of a family, such as ("stt", "parakeet"). Raises ModelUnavailable where a package is missing."""
    go_offline()
    trust_no_code()
    _leave_out_siblings()
    path = f"mlx_audio.{part}.models.{name}"
    try:
        with _metal_kernels():
            module = importlib.import_module(path)
    except ImportError as error:
        raise ModelUnavailable(
            f"the family {name} of mlx-audio needs the package {(error.name or str(error))!r}, which is not here"
        ) from error
    for value in vars(module).values():
        if isinstance(value, type) and CHANGES_MLX in vars(value):
            setattr(value, CHANGES_MLX, staticmethod(lambda: None))
    return module


@contextmanager
def _metal_kernels() -> Iterator[None]:
    """Where there is no Metal, let a family that makes kernels when it is imported make none: it does without there."""
    fast = importlib.import_module("mlx.core.fast")
    if importlib.import_module("mlx.core").metal.is_available():
        yield
        return
    real = fast.metal_kernel
    fast.metal_kernel = lambda **kernel: None  # type: ignore[attr-defined]
    try:
        yield
    finally:
        fast.metal_kernel = real  # type: ignore[attr-defined]


def inside(part: str, name: str, module: str) -> types.ModuleType:
    """A module of a family that is imported already, such as ("stt", "nemotron_asr", "audio")."""
    return importlib.import_module(f"mlx_audio.{part}.models.{name}.{module}")


def go_offline() -> None:
    """Let no library of this process ask the network."""
    os.environ.update(OFFLINE)
    importlib.import_module("huggingface_hub.constants").HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


def trust_no_code() -> None:
    """Let transformers run no code that came with weights, whatever the package asks it to trust."""
    for name, module in list(sys.modules.items()):
        if name.startswith("transformers") and RUNS_CODE in vars(module):
            setattr(module, RUNS_CODE, _refuse)
    if not any(isinstance(finder, _Distrust) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Distrust())


def _refuse(*args: object, **kwargs: object) -> NoReturn:
    raise ModelUnavailable("these weights want to run code of their own, which this server does not run")


class _Distrust(MetaPathFinder):
    """Replaces RUNS_CODE as soon as transformers is imported, before anything has a name for it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != DYNAMIC:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.loader is not None:
            spec.loader = _Refusing(spec.loader)
        return spec


class _Refusing(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def exec_module(self, module: types.ModuleType) -> None:
        self._loader.exec_module(module)
        setattr(module, RUNS_CODE, _refuse)


def _leave_out_siblings() -> None:
    """Put packages without content where the package's own would import every family of their part."""
    spec = importlib.util.find_spec("mlx_audio")
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable("the package mlx-audio is not installed")
    home = Path(spec.submodule_search_locations[0])
    for part in EAGER:
        name = f"mlx_audio.{part}.models"
        if name not in sys.modules:
            bare = types.ModuleType(name)
            bare.__path__ = [str(home / part / "models")]
            bare.__spec__ = ModuleSpec(name, None, is_package=True)
            bare.__spec__.submodule_search_locations = bare.__path__
            sys.modules[name] = bare


def utils() -> types.ModuleType:
    """What the package shares between its families."""
    return importlib.import_module("mlx_audio.utils")
