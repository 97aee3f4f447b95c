"""Requests that schemathesis makes from the server's description of its routes, and what was wrong with the answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from support.hostile.target import PATIENCE, WELCOME

METHODS = ("get", "put", "post", "delete", "patch")


def attack(url: str, number: int, each: int) -> Iterator[tuple[int, list[str]]]:
    """Send `each` requests for each operation of the server at `url`, all decided by the seed `number`.

    Gives, after each operation, how many were sent and what was wrong, with a command that repeats the request.
    """
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    paths: dict[str, Any] = schema.raw_schema["paths"]
    for path in sorted(paths):
        for method in sorted(set(paths[path]) & set(METHODS)):
            yield _operation(schema[path][method.upper()], number, each)


def _operation(operation: Any, number: int, each: int) -> tuple[int, list[str]]:
    sent, wrong = 0, list[str]()

    @seed(number)
    @settings(
        max_examples=each,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        nonlocal sent
        sent += 1
        try:
            answer = case.call(timeout=PATIENCE)
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}: {case.as_curl_command()[:2000]}")
            return
        if answer.status_code >= 500 and answer.status_code not in WELCOME:
            wrong.append(f"answered {answer.status_code} {answer.text[:300]}: {case.as_curl_command()[:2000]}")

    send()
    return sent, wrong
