"""What stands for packages that a reference implementation imports and that take no part; scripts/parity uses it."""

from __future__ import annotations

import types


class AbsentPackage(types.ModuleType):
    """A module that has any name; each of them is one too, and can be called."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return AbsentPackage(f"{self.__name__}.{name}")

    def __call__(self, *_: object, **__: object) -> object:
        return self
