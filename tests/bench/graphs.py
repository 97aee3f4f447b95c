"""Counts what MLX's graphs would launch: kernels, evaluations that the host waits for, bytes of weights that are read.

`Watch` looks at each graph when it is evaluated, on any backend. A product, an operation of `mx.fast` and a compiled
function is one kernel, as on a GPU, whatever it is here; what only looks at memory in another way is none. Copies that
a GPU makes of strided arrays before some operations are not in the graph and not counted.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any, Self
from unittest.mock import patch

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from support.plain_mlx import plain_mlx

VIEWS = frozenset(
    "AsStrided Broadcast BroadcastAxes Copy Depends ExpandDims Flatten NumberOfElements Reshape Slice Split Squeeze "
    "StopGradient Transpose Unflatten View".split()
)
"""Primitives that launch nothing."""
KERNELS = {"Pad": 2}
"""Primitives that launch more than one: a fill and a copy. A concatenation is a copy of each of its inputs."""
PARTIAL = frozenset(("Gather", "Slice", "Split"))
"""Primitives that read a part of their inputs: a table of rows does not count as read."""
ONE_KERNEL: tuple[tuple[Any, str], ...] = (
    *((mx.fast, name) for name in ("layer_norm", "rms_norm", "rope", "scaled_dot_product_attention")),
    *((mx, name) for name in ("matmul", "addmm", "conv1d", "conv2d", "quantized_matmul", "softmax", "logsumexp")),
    (mx.array, "__matmul__"),
    (nn.Linear, "__call__"),
    (nn.Embedding, "as_linear"),
)
"""Operations whose parts here are one kernel on a GPU."""
MOST_NAMES = 900
"""Arrays that one export of a graph names: a function takes 1024 arguments by name."""
REMEMBERED = 4096
"""Operations of ONE_KERNEL that are remembered while nobody evaluates them."""
READS = ("item", "tolist", "__bool__", "__float__", "__int__")


@dataclass
class Counts:
    """What ran between two looks."""

    kernels: Counter[str] = field(default_factory=Counter)
    """Kernels by the name of their primitive."""
    reads: int = 0
    """Evaluations that the host waited for, because it asked for them or read a value."""
    weights: int = 0
    """Bytes of weights, at each kernel that reads them."""

    @property
    def total(self) -> int:
        return self.kernels.total()

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.kernels + other.kernels, self.reads + other.reads, self.weights + other.weights)


def usual(found: list[Counts]) -> Counts:
    """What most of these steps count, without those that stand out because something began or ended there."""
    kinds = Counter((one.total, one.reads, one.weights) for one in found)
    most = kinds.most_common(1)[0][0]
    return next(one for one in found if (one.total, one.reads, one.weights) == most)


@dataclass
class _Node:
    primitive: str
    inputs: list[str] = field(default_factory=list)


class Watch:
    """While it is open, counts what code evaluates. `take` gives the counts since the last one.

    Open it before a model is loaded: it must see what the model compiles.
    """

    def __init__(self) -> None:
        self._weights: dict[str, mx.array] = {}
        self._compiling = self._inside = False
        """Whether a compiled function is traced, and whether an operation of ONE_KERNEL computes."""
        self._fused: list[tuple[str, mx.array, list[mx.array]]] = []
        self._launched: list[list[mx.array]] = []
        """The arrays of each evaluation that the host has not waited for, in order."""
        self._counts = Counts()
        self._patches = ExitStack()

    def __enter__(self) -> Self:
        eval_: Callable[..., None] = mx.eval
        async_eval: Callable[..., None] = mx.async_eval

        def wait(*trees: Any) -> None:
            if self._launch(list(_arrays(trees))) or self._launched:
                self._counts.reads += 1
            eval_(*trees)
            self._launched.clear()

        def launch(*trees: Any) -> None:
            roots = list(_arrays(trees))
            if self._launch(roots):
                self._launched.append(roots)
            async_eval(*trees)

        self._patches.enter_context(plain_mlx(compiled=True))
        replaced: list[tuple[Any, str, Any]] = [(mx, "eval", wait), (mx, "async_eval", launch)]
        replaced += [(mx.array, name, self._reading(getattr(mx.array, name))) for name in READS]
        replaced += [(np, name, self._reading(getattr(np, name))) for name in ("array", "asarray")]
        replaced += [(where, name, self._fusing(name, getattr(where, name))) for where, name in ONE_KERNEL]
        replaced += [(mx, "compile", self._compiler(mx.compile))]
        for where, name, by in replaced:
            self._patches.enter_context(patch.object(where, name, by))
        return self

    def __exit__(self, *error: object) -> None:
        self._patches.close()

    def weigh(self, model: object) -> None:
        """Count from now on how often the arrays that `model` holds are read."""
        self._weights = {f"weight_{number}": array for number, array in enumerate(arrays_of(model))}

    def take(self) -> Counts:
        """The counts since the last call, and nothing of them from now on."""
        taken, self._counts = self._counts, Counts()
        return taken

    def _reading(self, read: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(read)
        def run(value: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(value, mx.array):
                self._read(value)
            return read(value, *args, **kwargs)

        return run

    def _read(self, array: mx.array) -> None:
        if self._launch([array]):
            self._counts.reads += 1
            self._launched.clear()
            return
        for place, arrays in enumerate(self._launched):
            if any(one is array for one in arrays):
                self._counts.reads += 1
                del self._launched[: place + 1]
                return

    def _fusing(self, name: str, operation: Callable[..., mx.array]) -> Callable[..., mx.array]:
        plain: Callable[..., mx.array] = getattr(operation, "__wrapped__", operation)

        @wraps(operation)
        def run(*args: Any, **kwargs: Any) -> mx.array:
            if self._compiling:  # its arrays are not those of the graph that runs
                return plain(*args, **kwargs)
            if self._inside:
                return operation(*args, **kwargs)
            self._inside = True
            try:
                result = operation(*args, **kwargs)
            finally:
                self._inside = False
            self._fused.append((name, result, list(_arrays((args, kwargs)))))
            return result

        return run

    def _compiler(self, compiler: Callable[..., Any]) -> Callable[..., Any]:
        def compiled(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            @wraps(function)
            def traced(*given: Any, **named: Any) -> Any:
                self._compiling = True
                try:
                    return function(*given, **named)
                finally:
                    self._compiling = False

            return compiler(traced, *args, **kwargs)

        return compiled

    def _launch(self, roots: Sequence[mx.array]) -> int:
        """Count the kernels of the graph behind `roots`, which is about to be evaluated."""
        kernels = 0
        for name, inputs in self._kernels(roots):
            number = len(inputs) if name == "Concatenate" else KERNELS.get(name, 1)
            self._counts.kernels[name] += number
            self._counts.weights += sum(self._weights[one].nbytes for one in inputs if one in self._weights)
            kernels += number
        return kernels

    def _kernels(self, roots: Sequence[mx.array]) -> Iterator[tuple[str, list[str]]]:
        """The kernels behind `roots`, each with the arrays that it reads, views resolved."""
        names = {id(array): name for name, array in self._weights.items()}
        named = dict(self._weights)

        def name_of(array: mx.array) -> str:
            if id(array) not in names:
                names[id(array)] = name = f"array_{len(named)}"
                named[name] = array
            return names[id(array)]

        fused = [(name_of(out), name, [name_of(one) for one in given]) for name, out, given in self._fused]
        wanted = [name_of(root) for root in roots]
        graph = _Graph(roots, named, {out for out, _, _ in fused})
        for out, name, given in fused:
            graph.fuse(out, name, given)
        wanted = [graph.key(name) for name in wanted]
        seen = set[int]()
        done = set[str]()
        while wanted:
            key = wanted.pop()
            node = graph.makers.get(key)
            if node is None or id(node) in seen:
                continue
            done.add(key)
            seen.add(id(node))
            wanted += node.inputs
            if node.primitive not in VIEWS:
                inputs = [] if node.primitive in PARTIAL else node.inputs
                yield node.primitive, [graph.source(one) for one in inputs]
        self._fused = [one for one in self._fused if graph.key(names[id(one[1])]) not in done][-REMEMBERED:]


class _Graph:
    """A graph as MLX exports it. A key is an array: "node:output", or its name where it is evaluated already.

    Nodes are numbered as they are exported. A compiled function's calls share one primitive, so its number is no name.
    """

    def __init__(self, roots: Sequence[mx.array], named: Mapping[str, mx.array], fused: Set[str]) -> None:
        """`fused` of `named` are exported apart: of two names of an array, as a slice of all of it has, one is lost."""
        self.makers: dict[str, _Node] = {}
        self._keys: dict[str, str] = {}
        groups = [name for name in named if name in fused], [name for name in named if name not in fused]
        pieces = [names[at : at + MOST_NAMES] for names in groups for at in range(0, len(names), MOST_NAMES)]
        with tempfile.NamedTemporaryFile("r", suffix=".dot") as file:

            def export(some: Mapping[str, mx.array]) -> str:
                mx.export_to_dot(file.name, *roots, **some)
                return Path(file.name).read_text()

            plain = export({})
            self._nodes = [_Node(_label(line)) for line in plain.splitlines() if "[label" in line]
            for names in (pieces or [[]]) if self._nodes else ():
                some = {name: named[name] for name in names}
                self._read(export(some), some)

    def key(self, name: str) -> str:
        return self._keys.get(name, name)

    def fuse(self, out: str, name: str, given: Sequence[str]) -> None:
        """Let what is named `out` be made by one primitive, unless it is evaluated already."""
        if self.key(out) in self.makers:
            self.makers[self.key(out)] = _Node(name, [self.key(one) for one in given])

    def source(self, key: str) -> str:
        """The array that this one looks at: itself, or what views of it show whole."""
        while (node := self.makers.get(key)) and node.primitive in VIEWS - PARTIAL and node.inputs:
            key = node.inputs[0]
        return key

    def _read(self, dot: str, named: Mapping[str, mx.array]) -> None:
        """Add an export in which `named` have their names. What the roots need comes first, in every export alike."""
        at, outputs, keys, inputs = -1, 0, dict[str, str](), list[str]()
        for line in dot.splitlines():
            if "[label" in line:
                at, outputs, inputs = at + 1, 0, []
                if at == len(self._nodes):
                    break
                assert self._nodes[at].primitive == _label(line), "exports of a graph begin alike"
            elif "->" in line:
                start, end = (side.strip() for side in line.split("->"))
                if start.startswith('"'):
                    name = start.strip('"')
                    inputs.append(keys.get(name, name if name in named else ""))
                    self._found(self._nodes[at], inputs)
                else:
                    keys[end.strip('"')] = key = f"{at}:{outputs}"
                    self.makers.setdefault(key, self._nodes[at])
                    outputs += 1
        self._keys |= {name: keys[name] for name in named if name in keys}

    @staticmethod
    def _found(node: _Node, inputs: list[str]) -> None:
        """Set the last of `inputs` where it is not known from another export."""
        if len(node.inputs) < len(inputs):
            node.inputs.append(inputs[-1])
        elif inputs[-1]:
            node.inputs[len(inputs) - 1] = inputs[-1]


def _label(line: str) -> str:
    return line.split('"')[1]


def _arrays(tree: Any) -> Iterator[mx.array]:
    if isinstance(tree, mx.array):
        yield tree
    elif isinstance(tree, Mapping):
        for one in tree.values():
            yield from _arrays(one)
    elif isinstance(tree, list | tuple):
        for one in tree:
            yield from _arrays(one)


def arrays_of(held: object) -> list[mx.array]:
    """All arrays that an object holds, through attributes, containers and closures."""
    found: dict[int, mx.array] = {}
    seen: set[int] = set()
    waiting = [held]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, ModuleType | type | BuiltinFunctionType | np.ndarray | str | bytes):
            continue
        seen.add(id(one))
        if isinstance(one, mx.array):
            found[id(one)] = one
        waiting += _held(one)
    return list(found.values())


def _held(one: Any) -> list[Any]:
    if isinstance(one, FunctionType):
        return [*(one.__closure__ or ()), *(one.__defaults__ or ())]
    if isinstance(one, MethodType):
        return [one.__self__, one.__func__]
    if isinstance(one, CellType):
        return [one.cell_contents]
    if isinstance(one, partial):
        return [one.func, *one.args, *one.keywords.values()]
    held = [*one.values()] if isinstance(one, Mapping) else []
    if isinstance(one, list | tuple | set | frozenset):
        held += one
    slots = (name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ()))
    return [*held, *getattr(one, "__dict__", {}).values(), *(getattr(one, name, None) for name in slots)]
