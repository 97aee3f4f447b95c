"""The query of /v2/listen and its Configure message → options of Flux. Unknown parameters are ignored. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import QueryParams

from speechmlx import languages
from speechmlx.audio.live_format import AudioFormat
from speechmlx.errors import BadRequest
from speechmlx.protocols.deepgram.listen_options import CONTAINER, DEFAULT_LANGUAGE, audio_format, keywords
from speechmlx.protocols.http.options import flag, text

MULTILINGUAL = "-multi"
"""End of the names of models that detect the language."""


@dataclass(frozen=True, kw_only=True)
class FluxThresholds:
    """When a turn ends: from which confidence on, early and surely, and after how much silence in any case."""

    eot_threshold: float = 0.7
    eager_eot_threshold: float | None = None
    """None: there is no early end."""
    eot_timeout_ms: int = 5000

    @property
    def timeout(self) -> float:
        """Seconds of silence."""
        return self.eot_timeout_ms / 1000

    def changed(self, values: Mapping[str, Any]) -> FluxThresholds:
        """These with the values that are given; None leaves a value. Raises BadRequest."""
        found = replace(
            self,
            eot_threshold=_number(values, "eot_threshold", self.eot_threshold, 0.5, 1.0),
            eager_eot_threshold=_number(values, "eager_eot_threshold", self.eager_eot_threshold, 0.3, 0.9),
            eot_timeout_ms=int(_number(values, "eot_timeout_ms", self.eot_timeout_ms, 500, 60000) or 0),
        )
        if found.eager_eot_threshold is not None and found.eager_eot_threshold > found.eot_threshold:
            raise BadRequest(
                f"'eager_eot_threshold' must be at most 'eot_threshold' ({found.eot_threshold:g}), "
                f"not {found.eager_eot_threshold:g}"
            )
        return found


@dataclass(frozen=True, kw_only=True)
class FluxOptions:
    """What a client asked for."""

    model: str | None = None
    detects_language: bool = False
    language: str | None = DEFAULT_LANGUAGE
    hints: tuple[str, ...] = ()
    """Codes of the languages to detect among; empty: all that the model knows."""
    encoding: str = ""
    format: AudioFormat = CONTAINER
    thresholds: FluxThresholds = FluxThresholds()
    keywords: tuple[str, ...] = ()
    profanity_filter: bool = False
    tag: tuple[str, ...] = ()


def flux_options(query: QueryParams) -> FluxOptions:
    """The options in a query. Raises BadRequest, which names the parameter and what it allows."""
    last = {name: query.getlist(name)[-1] for name in query}
    model = text(last, "model")
    hints = language_hints(query.getlist("language_hint"))
    multilingual = bool(hints) or (model or "").strip().lower().endswith(MULTILINGUAL)
    return FluxOptions(
        model=model,
        detects_language=multilingual,
        language=None if multilingual else DEFAULT_LANGUAGE,
        hints=hints,
        encoding=(last.get("encoding") or "").strip().lower(),
        format=audio_format({name: last[name] for name in ("encoding", "sample_rate") if name in last}),
        thresholds=FluxThresholds().changed(last),
        keywords=keywords(query.getlist("keyterm")),
        profanity_filter=flag(last, "profanity_filter"),
        tag=tuple(query.getlist("tag")),
    )


def language_hints(entries: Sequence[str]) -> tuple[str, ...]:
    """The codes of languages."""
    return tuple(code for entry in entries if (code := languages.code(entry)))


def _number(values: Mapping[str, Any], name: str, now: float | None, low: float, high: float) -> Any:
    given = values.get(name)
    if given is None or (isinstance(given, str) and not given.strip()):
        return now
    try:
        value = float("nan") if isinstance(given, bool) else float(given)
    except (TypeError, ValueError):
        value = float("nan")
    if not low <= value <= high:
        raise BadRequest(f"'{name}' must be a number from {low:g} to {high:g}, not {given!r:.80}")
    return value
