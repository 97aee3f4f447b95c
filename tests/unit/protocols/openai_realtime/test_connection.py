"""Opening a connection: its subprotocol, and the session of a client secret."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from support.realtime_wire import Json

from speechmlx.protocols.http.access_keys import AccessKeys
from speechmlx.protocols.http.request_body import Body
from speechmlx.protocols.openai_realtime.client_secrets import Secrets
from speechmlx.protocols.openai_realtime.connection import beta_session, subprotocol
from speechmlx.protocols.openai_realtime.wire import RealtimeWire


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], None),
        (["realtime"], "realtime"),
        (["openai-insecure-api-key.k", "openai-beta.realtime-v1", "realtime"], "realtime"),
        (["openai-insecure-api-key.k", "openai-beta.realtime-v1"], "openai-beta.realtime-v1"),
        (["openai-insecure-api-key.k", "openai-organization.o"], "openai-organization.o"),
        (["openai-insecure-api-key.k"], "openai-insecure-api-key.k"),
    ],
)
def test_the_subprotocol_is_one_that_was_offered(offered: list[str], chosen: str | None) -> None:
    assert subprotocol(offered) == chosen


@pytest.mark.parametrize(("transcribes", "given"), [(False, {"voice": "ash"}), (True, {"turn_detection": None})])
async def test_the_secret_of_a_beta_session_opens_it(transcribes: bool, given: Json) -> None:
    secrets = Secrets(AccessKeys([]))
    response = await beta_session(Body(upload=BytesIO(json.dumps(given).encode())), transcribes, secrets)
    made = json.loads(bytes(response.body))
    opened = secrets.session(made["client_secret"]["value"])
    assert opened is not None
    on = RealtimeWire("ga", "", False, 1_000_000, opened)
    assert (on.session["id"], on.transcribes) == (made["id"], transcribes)
    assert on.settings.turns is None if transcribes else on.settings.answering.voice.name == "ash"
