"""Signatures of webhooks, as a verifier of the Standard Webhooks specification reads them."""

from __future__ import annotations

import base64

import openai
import pytest

from speechmlx.errors import BadRequest
from speechmlx.jobs.signing import read_secret, signed_headers

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def test_a_message_is_signed() -> None:
    headers = signed_headers(read_secret(SECRET), "job_1", 1_700_000_000.9, b'{"a": 1}')
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("job_1", "1700000000")
    with openai.OpenAI(api_key="any") as client:
        client.webhooks.verify_signature('{"a": 1}', headers, secret=SECRET, tolerance=10**10)
        other = {**headers, "webhook-id": "job_2"}
        with pytest.raises(openai.InvalidWebhookSignatureError):
            client.webhooks.verify_signature('{"a": 1}', other, secret=SECRET, tolerance=10**10)


def test_without_a_secret_there_is_no_signature() -> None:
    assert signed_headers(None, "job_1", 1.0, b"") == {"webhook-id": "job_1", "webhook-timestamp": "1"}


@pytest.mark.parametrize("text", ["", "secret", SECRET[6:], "whsec_", "whsec_ä", "whsec_AAAA", "whsec_" + "A" * 120])
def test_secrets_that_cannot_be(text: str) -> None:
    with pytest.raises(BadRequest, match="webhook_secret must be whsec_ and 24 to 64 random bytes in base64"):
        read_secret(text)
