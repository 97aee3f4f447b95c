"""The engines as a conversation uses them: two methods, so that tests need no process."""

from __future__ import annotations

from typing import Protocol

from speechmlx.errors import UnknownModel
from speechmlx.models.spec import Model
from speechmlx.runtime.front.job import Job
from speechmlx.types import Kind, Request


class Engines(Protocol):
    """`runtime.front.runtime.Runtime`, or a fake."""

    def submit(self, request: Request) -> Job:
        """Start a job. Raises UnknownModel, Busy and Draining."""

    def model(self, name: str | None, kind: Kind | None, live: bool = False) -> Model:
        """The row of a name or alias, or the default of `kind`, or of `live` recognition. Raises UnknownModel."""


def model_or_default(engines: Engines, name: str | None, kind: Kind, live: bool = False) -> Model:
    """The model of `kind` called `name`, else the default: clients send names that they know from other servers.

    `live`: the default is that of live recognition. Raises UnknownModel where there is no default.
    """
    try:
        return engines.model(name, kind, live)
    except UnknownModel:
        return engines.model(None, kind, live)


def has_default(engines: Engines, kind: Kind) -> bool:
    """Whether there is a default model of `kind`."""
    try:
        engines.model(None, kind)
    except UnknownModel:
        return False
    return True
