"""The query of /v2/listen: thresholds and their limits, languages, formats."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import QueryParams

from speechmlx.audio.live_format import AudioFormat
from speechmlx.errors import BadRequest
from speechmlx.protocols.deepgram.flux_options import FluxThresholds, flux_options


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("model=flux-general-en", "language", "en"),
        ("model=flux-general-multi", "language", None),
        ("language_hint=de&language_hint=fr", "hints", ("de", "fr")),
        ("", "thresholds", FluxThresholds(eot_threshold=0.7, eager_eot_threshold=None, eot_timeout_ms=5000)),
        ("eot_threshold=0.9&eager_eot_threshold=0.5&eot_timeout_ms=700", "thresholds", FluxThresholds(
            eot_threshold=0.9, eager_eot_threshold=0.5, eot_timeout_ms=700)),
        ("encoding=linear16&sample_rate=16000", "format", AudioFormat("pcm16", 16000)),
        ("encoding=linear32&sample_rate=48000", "format", AudioFormat("float32", 48000)),
        ("encoding=ogg-opus", "format", AudioFormat("container", 16000)),
        ("keyterm=a&keyterm=b", "keywords", ("a", "b")),
        ("tag=x", "tag", ("x",)),
    ],
)  # fmt: skip
def test_a_value(query: str, field: str, value: Any) -> None:
    assert getattr(flux_options(QueryParams(query)), field) == value


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("eot_threshold=0.4", "0.5 to 1"),
        ("eager_eot_threshold=0.95", "0.3 to 0.9"),
        ("eager_eot_threshold=0.8", "at most 'eot_threshold'"),
        ("eot_timeout_ms=100", "500 to 60000"),
        ("eot_timeout_ms=long", "eot_timeout_ms"),
        ("encoding=linear16", "sample_rate"),
    ],
)
def test_what_cannot_be_is_named(query: str, named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        flux_options(QueryParams(query))


def test_null_leaves_a_threshold() -> None:
    before = FluxThresholds(eager_eot_threshold=0.4)
    assert before.changed({"eager_eot_threshold": None, "eot_timeout_ms": 600}) == FluxThresholds(
        eager_eot_threshold=0.4, eot_timeout_ms=600
    )
    with pytest.raises(BadRequest):
        before.changed({"eot_threshold": True})
