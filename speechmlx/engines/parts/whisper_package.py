"""mlx-whisper's files and its module `tokenizer`, loaded by path.

Importing the package would also import numba and scipy, which takes two seconds and is not needed.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType


def package_folder() -> Path:
    """The folder of the installed mlx-whisper, without importing it."""
    spec = importlib.util.find_spec("mlx_whisper")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("mlx_whisper is not installed")
    return Path(spec.submodule_search_locations[0])


@cache
def tokenizer_module() -> ModuleType:
    """Its byte-pair encodings and its list of languages."""
    spec = importlib.util.spec_from_file_location("mlx_whisper.tokenizer", package_folder() / "tokenizer.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
