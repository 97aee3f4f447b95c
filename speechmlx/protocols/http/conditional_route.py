"""A route for some requests to a path: those of one content type, or those at one port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.routing import Match, Route
from starlette.types import Scope

Condition = Callable[[Scope], bool]


class ConditionalRoute(Route):
    """Takes the requests that meet `condition`, which `what` describes. Others go to the next route of the path."""

    def __init__(self, path: str, endpoint: Callable[..., Any], methods: list[str], condition: Condition, what: str):
        super().__init__(path, endpoint, methods=methods)
        self.what = what
        self._condition = condition

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Starlette's match, and none where the condition is not met."""
        match, child = super().matches(scope)
        if match is Match.FULL and not self._condition(scope):
            return Match.NONE, {}
        return match, child


def is_form(scope: Scope) -> bool:
    """Whether the body is a multipart form."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return bool(kind.lower().startswith(b"multipart/form-data"))


def at_port_of(ports: Mapping[int, str], name: str) -> Condition:
    """Whether a request came in at a port that was opened for the protocol `name` (--bind NAME=HOST:PORT)."""
    return lambda scope: ports.get((scope.get("server") or ("", 0))[1]) == name
