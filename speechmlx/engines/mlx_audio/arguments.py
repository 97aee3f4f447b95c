"""What a family's function takes: found in its code, so that nothing is passed that it would ignore."""

from __future__ import annotations

import ast
import inspect
import math
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from speechmlx import languages
from speechmlx.errors import BadRequest, Unsupported

PARAKEET = tuple("bg hr cs da nl en et fi fr de el hu it lv lt mt pl pt ro sk sl es sv ru uk".split())
PARAKEET_PIECES = 8192
"""Pieces of the vocabulary of the version that hears PARAKEET; the others hear English, or say nothing of it."""
VOXTRAL = tuple("en fr es de ru zh ja it pt nl ar hi ko".split())
"""What these recognisers hear. They tell languages apart by themselves, so naming one changes nothing."""
ABSENT = object()
"""The default of a parameter that has none."""
OURS = frozenset(
    (
        "text audio voice ref_audio ref_text prompt_audio prompt_text stream verbose dtype generation_stream task "
        "chunk_callback split_pattern lang_code language lang source_lang target_lang audio_prompt "
        "audio_prompt_sr model_path sample_rate tokenizer text_tokenizer ref_tokens input_ids references ref_audios "
        "ref_texts ref_audio_codes ref_audio_codes_list"
    ).split()
)
"""Parameters that requests have fields for, or that are the server's own."""
REFUSED: Mapping[str, tuple[str, ...]] = {"fish_drama3": ("speed", "instruct")}
"""By family: parameters that it has so as to refuse them."""
RANGES: Mapping[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "top_k": (0, 100_000),
    "max_tokens": (1, 32_768),
    "max_new_tokens": (1, 32_768),
    "max_new_frames": (1, 32_768),
    "repetition_penalty": (0.1, 10.0),
    "streaming_interval": (0.02, 60.0),
    "cfg_scale": (0.0, 20.0),
    "cfg_weight": (0.0, 20.0),
    "exaggeration": (0.0, 2.0),
    "fade_in_ms": (0.0, 10_000.0),
    "fade_out_ms": (0.0, 10_000.0),
}
"""Bounds of options that many families have; both ends are allowed."""
TEXTS = frozenset("instruct description caption style emotion dialect".split())
"""Options that are texts though their default is None. Others are numbers: a text could be the path of a file."""
SAME = {"max_tokens": ("max_new_tokens", "max_new_frames"), "instruct": ("description", "caption")}
"""Other names of one thing, for families that lack the first name."""


@dataclass(frozen=True)
class Accepted:
    """The parameters that a family's function takes and reads, with their defaults."""

    family: str
    parameters: Mapping[str, Any]

    @classmethod
    def by(cls, family: str, function: Callable[..., Any]) -> Accepted:
        """What `function` reads of its parameters. One that it has for compatibility only counts as absent."""
        read = _names_read(inspect.unwrap(getattr(function, "__func__", function)))
        found = {
            name: ABSENT if parameter.default is inspect.Parameter.empty else parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            and name not in REFUSED.get(family, ())
            and name in read
        }
        return cls(family, found)

    def __contains__(self, name: str) -> bool:
        return name in self.parameters

    def first(self, *names: str) -> str | None:
        """The first of `names` that the family takes; None for none."""
        return next((name for name in names if name in self.parameters), None)

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options that a client may set."""
        simple = (bool, int, float, str, type(None))
        return tuple(
            sorted(
                name
                for name, default in self.parameters.items()
                if name not in OURS and (isinstance(default, simple) and default is not ABSENT)
            )
        )

    def read(self, options: Mapping[str, Any], also: tuple[str, ...] = ()) -> dict[str, Any]:
        """The arguments for a client's `options`; `also` names those that the caller reads itself.

        Raises Unsupported for one that the family does not take, and BadRequest for a value that it cannot be.
        """
        arguments = {}
        for name, value in options.items():
            if name in also:
                continue
            here = self.first(name, *SAME.get(name, ()))
            if here is None or here not in self.options:
                takes = ", ".join(sorted({*self.options, *also})) or "none"
                raise Unsupported(f"{self.family} has no option {name!r:.60}; its options are {takes}")
            arguments[here] = _checked(name, value, self.parameters[here])
        return arguments


def _names_read(function: Callable[..., Any]) -> set[str]:
    """The variables that the body of `function` reads, by its source: instructions are others in each Python."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef), definition
    found = (node for statement in definition.body for node in ast.walk(statement) if isinstance(node, ast.Name))
    return {node.id for node in found if isinstance(node.ctx, ast.Load)}


def _checked(name: str, value: Any, default: Any) -> Any:
    """`value` as the parameter has it. Raises BadRequest."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise BadRequest(f"{name} must be true or false, not {value!r:.60}")
        return value
    if isinstance(default, str):
        if not isinstance(value, str):
            raise BadRequest(f"{name} must be a text, not {value!r:.60}")
        return value
    if default is None and name in TEXTS and isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise BadRequest(f"{name} must be a number, not {value!r:.60}")
    if isinstance(default, int) and value != int(value):
        raise BadRequest(f"{name} must be a whole number, not {value!r:.60}")
    low, high = RANGES.get(name, (-math.inf, math.inf))
    if not low <= value <= high:
        raise BadRequest(f"{name} {value:g} is out of range: {low:g} to {high:g}")
    return int(value) if isinstance(default, int) else value


def known_languages(model: Any) -> list[str]:
    """The languages that `model` tells of, spelt as it does; none: it does not tell."""
    config = getattr(model, "config", None)
    listed = getattr(config, "support_languages", None) or getattr(config, "supported_languages", None)
    for name in ("prompt_dictionary", "lid_dict"):
        listed = listed or getattr(model, name, None)
    listed = listed or getattr(sys.modules.get(type(model).__module__), "ISO_TO_PROMPT_LANGUAGE", None)
    return [str(item) for item in listed or () if item not in ("auto", "nospeech")]


def spelt_language(language: str, known: Sequence[str]) -> str:
    """`language`, a tag or a name, as a model spells it that knows `known`. Raises Unsupported."""
    code = languages.code(language) or language
    wanted = {item.lower(): item for item in known}
    found = wanted.get(language.lower()) or wanted.get(languages.name(code).lower()) or wanted.get(code)
    found = found or next((item for item in known if item.partition("-")[0].lower() == code), None)  # "en-US" of "en"
    if (spelt := found or next((item for item in known if languages.code(item) == code), None)) is None:  # "nb" of "no"
        raise Unsupported(f"language {language!r:.60} is none of this model's: {', '.join(known)}")
    return spelt


def unchosen_languages(family: str, model: Any) -> tuple[str, ...]:
    """The languages of a recogniser that tells them apart by itself; (): not known."""
    if family == "voxtral_realtime":
        return VOXTRAL
    if family != "parakeet":
        return ()
    pieces = model.vocabulary
    if len(pieces) == PARAKEET_PIECES:
        return PARAKEET
    return ("en",) if all(piece.replace("▁", "").isascii() for piece in pieces) else ()


def check_unchosen(family: str, model: Any, language: str) -> None:
    """Raises Unsupported for a language that a recogniser without a choice does not hear, or may not."""
    known = unchosen_languages(family, model)
    if not known:
        raise Unsupported(
            f"{family} takes no language: it hears those that it was trained with; leave out the language"
        )
    spelt_language(language, known)
