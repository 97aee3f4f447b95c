"""Client secrets: kept until they expire, and never more than so many."""

from __future__ import annotations

from speechmlx.protocols.http.access_keys import AccessKeys
from speechmlx.protocols.openai_realtime.client_secrets import MAX_SECRETS, Secrets


def test_a_secret_has_its_session_until_it_expires() -> None:
    secrets = Secrets(AccessKeys([]))
    made, expired = secrets.make({"id": "a"}, 60), secrets.make({"id": "b"}, -1)
    assert secrets.session(made["value"]) == {"id": "a"}
    assert secrets.session(expired["value"]) is None
    assert secrets.session("any") is None


def test_the_oldest_go_first() -> None:
    secrets = Secrets(AccessKeys([]))
    values = [secrets.make({"id": str(number)}, 60)["value"] for number in range(MAX_SECRETS + 1)]
    assert secrets.session(values[0]) is None
    assert all(secrets.session(value) for value in values[1:])
