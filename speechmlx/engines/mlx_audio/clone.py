"""Structural clones: a copy of a model's objects that shares its arrays, so that each job has state of its own.

Families of mlx-audio keep what belongs to one request on the model: caches, buffers of streaming convolutions, and
counters. A clone has its own modules, lists, dictionaries and caches, and no bytes of weights. Tokenizers and functions
are shared.
"""

from __future__ import annotations

import functools
import types
from collections import OrderedDict
from typing import Any

import mlx.nn as nn

from speechmlx.engines.mlx_audio.tree import compiled_module, is_plain


def structural_clone(model: Any) -> Any:
    """A copy of `model` that shares its arrays. Takes milliseconds."""
    return _Cloning().of(model)


class _Cloning:
    """One run over a tree of objects; an object that is met twice has one copy."""

    def __init__(self) -> None:
        self._copies: dict[int, Any] = {}

    def of(self, value: Any) -> Any:
        if id(value) in self._copies:
            return self._copies[id(value)]
        if (module := compiled_module(value)) is not None:
            return self.of(module)  # a compiled function belongs to the model that it was made of
        if isinstance(value, nn.Module):
            return self._module(value)
        if type(value) in (list, tuple, set):
            return self._collection(value)
        if type(value) in (dict, OrderedDict):
            fresh = self._copies[id(value)] = type(value)()
            fresh.update({key: self.of(item) for key, item in value.items()})
            return fresh
        if isinstance(value, types.MethodType):
            return types.MethodType(value.__func__, self.of(value.__self__))
        if isinstance(value, functools.partial):
            kept = {name: self.of(item) for name, item in value.keywords.items()}
            return functools.partial(self.of(value.func), *map(self.of, value.args), **kept)
        return self._object(value) if is_plain(value) else value

    def _module(self, value: nn.Module) -> nn.Module:
        fresh = self._copies[id(value)] = dict.__new__(type(value))  # some families' __new__ dispatches
        dict.update(fresh, {key: self.of(item) for key, item in value.items()})
        for name, item in value.__dict__.items():
            fresh.__dict__[name] = self.of(item)
        return fresh

    def _collection(self, value: Any) -> Any:
        if type(value) is list:
            fresh = self._copies[id(value)] = []
            fresh.extend(self.of(item) for item in value)
            return fresh
        copied = self._copies[id(value)] = type(value)(self.of(item) for item in value)
        return copied

    def _object(self, value: Any) -> Any:
        fresh = self._copies[id(value)] = object.__new__(type(value))  # some families' attributes lead in a circle
        for name, item in list(value.__dict__.items()):
            fresh.__dict__[name] = self.of(item)
        return fresh
