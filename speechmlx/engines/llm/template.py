"""Chat templates in a sandbox with bounds: templates are downloaded code, and their loops and texts may never end.

Steps are counted by tracing. Everything that makes text or a collection says what its result may come to before it
is made: operators, literals, calls, filters and output. Ordinary templates stay a thousand times below the bounds.
"""

from __future__ import annotations

import functools
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import FrameType
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SOURCE = 1_000_000
"""Characters of a template."""
MAX_STEPS = 200_000
"""Lines and calls that one rendering may run."""
MAX_SECONDS = 2.0
"""Seconds of the processor that one rendering may take."""
MAX_SIZE = 16_000_000
"""Characters and elements that one rendering may make in all, besides GROWTH times its input."""
GROWTH = 64
MAX_WIDTH = 10_000
"""Width to which a text may be padded."""
MAX_BITS = 4096
"""Bits of an integer."""
LIGHT = frozenset(
    "abs attr capitalize count d default e escape first float int items last length lower map max min random "
    "reject rejectattr round safe select selectattr title trim upper wordcount".split()
)
"""Filters whose work and result are no larger than a small multiple of what they are given."""
SHALLOW = frozenset("batch dictsort groupby list reverse slice sort unique".split())
"""Filters that make collections of the elements that they are given."""
TEXTUAL = frozenset("center format indent join replace string".split())
"""Filters that make texts."""
PADDING = frozenset("center ljust rjust zfill".split())
WIDTH, COMPUTED = re.compile(r"\d{5,}"), re.compile(r"%[^%\w]*\*|\{[^{}]*\{")
"""Widths in formats that are too large, or that are values."""


class TemplateLimit(Exception):
    """A rendering that goes beyond a bound. `str` of it is what it did, as the rest of a sentence."""


class Meter:
    """What one rendering may still do. The sizes of the values in `known` are counted once."""

    def __init__(self, known: Iterable[Any]) -> None:
        self._steps = 0
        self._until = time.thread_time() + MAX_SECONDS
        self._known: dict[int, int] = {}
        self._left: float = MAX_SIZE
        for value in known:
            self._known[id(value)] = self.size(value)
        self._left += GROWTH * sum(self._known.values())

    def step(self) -> None:
        """Count a step."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TemplateLimit(f"does not end within {MAX_STEPS} steps")
        if time.thread_time() > self._until:
            raise TemplateLimit(f"does not end within {MAX_SECONDS:g} s")

    def spend(self, size: float) -> None:
        """Count what is about to be made."""
        self._left -= size
        if self._left < 0:
            raise TemplateLimit(f"makes more than {MAX_SIZE} characters")

    def size(self, value: Any) -> int:
        """Characters and elements of a value, with those inside. Stops at the bound."""
        total, waiting = 0, [value]
        while waiting:
            item = waiting.pop()
            if id(item) in self._known:
                total += self._known[id(item)]
            elif isinstance(item, str | bytes):
                total += len(item) + 1
            elif isinstance(item, Mapping):
                waiting += item.keys()
                waiting += item.values()
            elif isinstance(item, list | tuple | set | frozenset):
                waiting += item
            total += 1
            if total > self._left:
                raise TemplateLimit(f"makes more than {MAX_SIZE} characters")
        return total


class Sandbox(ImmutableSandboxedEnvironment):
    """The filters and functions that Hugging Face's templates use. `render` is the only way to run a template."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
        self.code_generator_class = _Code
        self.meter = Meter(())
        self.finalize = self._output
        self.globals.pop("lipsum", None)
        self.globals["raise_exception"] = _refuse
        self.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        plain = {name: self.filters[name] for name in LIGHT & self.filters.keys()}
        self.filters = plain | {name: self._measured(name, self.filters[name]) for name in SHALLOW | TEXTUAL}
        self.filters["tojson"] = self._measured("tojson", to_json)

    def read(self, source: str) -> Callable[..., str]:
        """The function that renders `source`. Raises TemplateError or TemplateLimit, as the function does."""
        if len(source) > MAX_SOURCE:
            raise TemplateLimit(f"has {len(source)} characters, more than {MAX_SOURCE}")
        self.meter = Meter(())
        try:
            template = self.from_string(source)
        except (RecursionError, MemoryError) as error:
            raise TemplateLimit("is nested too deeply") from error

        def render(**values: Any) -> str:
            self.meter = Meter(value for name, value in values.items() if isinstance(value, list))
            with_trace = sys.gettrace()
            sys.settrace(self._trace)
            try:
                return template.render(values)
            finally:
                sys.settrace(with_trace)

        return render

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Count the lines of templates and the calls of everything else."""
        self.meter.step()
        return self._trace if frame.f_code.co_filename == "<template>" else None

    # --- what a template makes ---

    def concat(self, pieces: Iterable[str]) -> str:
        """The text of a template, macro or block."""
        parts = []
        for piece in pieces:
            self.meter.spend(len(piece) + 1)
            parts.append(piece)
        return "".join(parts)

    def joined(self, values: tuple[Any, ...]) -> str:
        """The operator `~`."""
        self.meter.spend(self.meter.size(values))
        return str_join(values)

    def literal(self, value: Any) -> Any:
        """A list, tuple or dict that the template writes out: checked with all that it holds, counted without."""
        self.meter.size(value)
        self.meter.spend(len(value))
        return value

    def slice(self, value: Any) -> Any:
        """A part of a text or list."""
        if hasattr(value, "__len__"):
            self.meter.spend(len(value))
        return value

    def _output(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.meter.spend(self.meter.size(value))
        return value

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, list) and isinstance(right, list):
            size, other = len(left), len(right)
        else:
            size, other = self.meter.size(left), self.meter.size(right)
        if operator == "*" and not (_is_number(left) and _is_number(right)):
            times = right if isinstance(right, int) else left if isinstance(left, int) else 1
            size *= max(times, 1)
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            _check_bits(max(left.bit_length(), 1) * abs(right))
        elif operator == "%" and isinstance(left, str):
            size += _formatted(left, other)
        self.meter.spend(size + other)
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int):
            _check_bits(result.bit_length())
        return result

    def call(self, context: Context, callee: Any, /, *args: Any, **kwargs: Any) -> Any:
        text = getattr(callee, "__self__", None)
        if isinstance(text, str):
            args = tuple(_listed(value) for value in args)
            self.meter.spend(_made(self.meter, callee.__name__, (text, *args), kwargs))
        else:
            self.meter.size((args, kwargs))
        return super().call(context, callee, *args, **kwargs)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        unbounded = isinstance(obj, str) and attr in ("translate", "expandtabs", "format_map", "encode")
        return not unbounded and super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`str.format`, measured."""
        formatter = super().wrap_str_format(value)
        if formatter is None:
            return None
        form = str(value.__self__)

        def measured(*args: Any, **kwargs: Any) -> str:
            values = (args, kwargs)
            self.meter.spend(len(form) + _formatted(form, self.meter.size(values)))
            return formatter(*args, **kwargs)

        return measured

    def _measured(self, name: str, filter: Callable[..., Any]) -> Callable[..., Any]:
        """A filter that says what it may make before it does."""
        leading = 1 if hasattr(filter, "jinja_pass_arg") else 0  # the environment or a context

        @functools.wraps(filter)
        def measured(*args: Any, **kwargs: Any) -> Any:
            values = tuple(_listed(value) for value in args[leading:])
            if name in SHALLOW:
                _check_widths(values[1:], kwargs)
                self.meter.spend(len(values[0]) if hasattr(values[0], "__len__") else 1)
            else:
                self.meter.spend(_made(self.meter, name, values, kwargs))
            return filter(*args[:leading], *values, **kwargs)

        return measured


class _Code(CodeGenerator):
    """Leads `~` and the literals of collections through the environment."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.write("environment.joined((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        self._literal(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        self._literal(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        if node.ctx == "load":
            self._literal(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        if isinstance(node.arg, nodes.Slice):
            self.write("environment.slice(")
            super().visit_Getitem(node, frame)
            self.write(")")
        else:
            super().visit_Getitem(node, frame)

    def _literal(self, visit: Callable[[Any, Frame], None], node: nodes.Node, frame: Frame) -> None:
        self.write("environment.literal(")
        visit(node, frame)
        self.write(")")


def _made(meter: Meter, name: str, values: tuple[Any, ...], named: Mapping[str, Any]) -> int:
    """What a filter or a method of a text may make, at most."""
    size = meter.size((values, named))
    first, *others = (*values, *named.values())
    texts = [value for value in (first, *others) if isinstance(value, str)]
    if name == "join":
        counts = [len(value) for value in (first, *others) if isinstance(value, list | tuple | set | Mapping | range)]
        return size + max(counts, default=len(str(first))) * max(map(len, texts), default=0)
    if name == "replace" and len(others) >= 2:
        old = str(others[0])
        return size + (str(first).count(old) if old else len(str(first)) + 1) * len(str(others[1]))
    if name == "format":
        return size + _formatted(str(first), size)
    width = _check_widths(others, named) if name in PADDING or name in ("indent", "tojson") else 0
    if name == "indent":
        return size + (str(first).count("\n") + 1) * max([width, *map(len, texts[1:])])
    return size * (1 + width) if name == "tojson" else size + width


def _check_widths(values: Iterable[Any], named: Mapping[str, Any]) -> int:
    """The largest of the integers. Raises TemplateLimit."""
    width = max((abs(value) for value in (*values, *named.values()) if isinstance(value, int)), default=0)
    if width > MAX_WIDTH:
        raise TemplateLimit(f"pads to more than {MAX_WIDTH}")
    return width


def _formatted(form: str, size: int) -> int:
    """What values of `size` may come to where they are written into `form`."""
    if WIDTH.search(form) or COMPUTED.search(form):
        raise TemplateLimit("pads to a width of more than four digits, or to one that it computes")
    places = form.count("%") + form.count("{")
    return places * (size + 9999 if any(digit in form for digit in "0123456789") else size)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _check_bits(bits: int) -> None:
    if bits > MAX_BITS:
        raise TemplateLimit(f"makes a number of more than {MAX_BITS} bits")


def _listed(value: Any) -> Any:
    """An iterator as a list, so that it can be measured; anything else as it is."""
    return list(value) if hasattr(value, "__next__") else value


def to_json(value: Any, indent: int | None = None, **_: Any) -> str:
    """The filter `tojson`, with the text as it is."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> None:
    raise TemplateError(message)
