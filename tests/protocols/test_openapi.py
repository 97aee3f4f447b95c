"""The description of the routes: complete, true by its own schemas, and nothing it allows breaks the server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import response_schema_conformance
from starlette.routing import WebSocketRoute

from speechmlx.app import create_app
from speechmlx.audio.encode import MEDIA_TYPES
from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.services import build_services
from speechmlx.protocols.http.static import WEB
from speechmlx.protocols.openai_audio.formats import FORMATS
from speechmlx.protocols.openai_audio.transcriptions import CHUNKING, EXTRAS, LISTS
from speechmlx.runtime.front.runtime import Runtime

WRITTEN = json.loads((WEB / "openapi.json").read_text())
ABSENT = (
    "/load",
    "/v1/realtime/calls",
    "/v1/realtime/calls/{call_id}/{action}",
    "/v1/chat/completions",
)
OFF = ("/transcribe/url", *ABSENT)
"""Answer 501: what is not turned on, and what is not here."""


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}


def test_every_route_is_there_and_nothing_else() -> None:
    routes = create_app(build_services(Config(), Runtime(Config(), CATALOG))).routes
    patterns = {(method, re.sub(r"{.*?}", "{}", path)) for method, path in operations(WRITTEN)}
    there = {
        (method, re.sub(r"{.*?}", "{}", route.path))  # type: ignore[attr-defined]
        for route in routes
        for method in (getattr(route, "methods", None) or set()) - {"HEAD"}
    }
    assert patterns == there


def test_every_websocket_is_described() -> None:
    routes = create_app(build_services(Config(), Runtime(Config(), CATALOG))).routes
    there = {route.path for route in routes if isinstance(route, WebSocketRoute)}
    described = WRITTEN["x-websockets"]
    assert {one["path"] for one in described} == there and len(described) == len(there)
    assert all(one["summary"] and one["description"] and one["receive"] for one in described)


def test_what_it_says_is_what_the_code_knows() -> None:
    speech = WRITTEN["paths"]["/v1/audio/speech"]["post"]
    assert speech["requestBody"]["content"]["application/json"]["schema"]["properties"]["response_format"]["enum"] == list(MEDIA_TYPES)  # fmt: skip  # noqa: E501
    assert set(MEDIA_TYPES.values()) <= speech["responses"]["200"]["content"].keys()
    form = WRITTEN["paths"]["/v1/audio/transcriptions"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert form["schema"]["properties"]["response_format"]["enum"] == list(FORMATS)
    object_form = form["schema"]["properties"]["chunking_strategy"]["anyOf"][1]["properties"]
    ranges = {name: (one["minimum"], one["maximum"]) for name, one in object_form.items() if name != "type"}
    assert ranges == CHUNKING and {*LISTS, *EXTRAS} <= form["schema"]["properties"].keys()


def test_docs_need_nothing_from_elsewhere(all_scripted: Any) -> None:
    with all_scripted.client() as client:
        for page in ("/docs", "/", "/test_form.html"):
            answer = client.get(page)
            assert answer.status_code == 200 and "default-src 'none'" in answer.headers["content-security-policy"]
            for place in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
                assert not place.startswith("/") and "://" not in place
                file = client.get(place)
                assert file.status_code == 200
                assert not place.startswith("web/") or file.headers["cache-control"] == "no-cache"
        for path in Path(WEB).iterdir():
            assert "://" not in re.sub(r"http://www.w3.org\S+", "", path.read_text()), path


SETTINGS = settings(
    max_examples=15,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # a package that a draw imports first may do so
@pytest.mark.parametrize("operation", sorted(operations(WRITTEN)), ids=" ".join)
def test_nothing_the_description_allows_breaks_the_server(all_scripted: Any, operation: tuple[str, str]) -> None:
    method, path = operation
    schema = schemathesis.openapi.from_url(f"{all_scripted.url}/openapi.json")

    @SETTINGS
    @given(case=schema[path][method].as_strategy())
    def check(case: Any) -> None:
        answer = case.call(timeout=20)
        assert answer.status_code < 500 or (path in OFF and answer.status_code == 501), answer.text
        document = schema.raw_schema["paths"][path][method.lower()]
        known = {*document["responses"], *(["404"] if "{" in path else [])}  # a name may hold what no route takes
        assert str(answer.status_code) in known, answer.text
        if answer.headers.get("content-type") == "application/json":
            case.validate_response(answer, checks=[response_schema_conformance])

    check()
    assert all_scripted.health()["status"] == "ok"
