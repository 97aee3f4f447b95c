"""The objects around words: metadata of streams and messages, the model's names."""

from __future__ import annotations

import re
from dataclasses import replace

from speechmlx import __version__
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.deepgram.results import ListenRequest, metadata, model_uuid, results
from speechmlx.types import Kind

MODEL = CATALOG.resolve(CATALOG.of_profile("starter")[Kind.ASR])
REQUEST = ListenRequest(id="r", model=MODEL, extra=(("call", "17"),), tag=("a",))


def test_metadata_names_the_request_and_the_model() -> None:
    found = metadata(REQUEST, 1.23456789, 2, "abc")
    assert (found["request_id"], found["duration"], found["channels"], found["sha256"]) == ("r", 1.234568, 2, "abc")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["created"])
    (uuid,) = found["models"]
    assert found["model_info"][uuid] == {"name": MODEL.name, "version": __version__, "arch": "whisper"}
    assert (found["extra"], found["tags"]) == ({"call": "17"}, ["a"])


def test_a_model_has_one_uuid() -> None:
    assert model_uuid(MODEL) == model_uuid(replace(MODEL, size=1)) != model_uuid(replace(MODEL, name="other"))


def test_results_cover_a_window() -> None:
    found = results(REQUEST, [{}], (1.0, 2.5), (1, 2), is_final=True)
    assert (found["start"], found["duration"], found["channel_index"]) == (1.0, 1.5, [1, 2])
    assert (found["is_final"], found["speech_final"], found["from_finalize"]) == (True, False, False)
    assert "extra" not in results(replace(REQUEST, extra=()), [], (0, 0), is_final=False)["metadata"]
