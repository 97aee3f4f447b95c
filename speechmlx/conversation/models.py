"""Which model a client means: one that is here, else, as clients name what they know from elsewhere, the default."""

from __future__ import annotations

from speechmlx.errors import UnknownModel
from speechmlx.models.row import Model
from speechmlx.runtime.front import Runtime
from speechmlx.types import Kind


def meant(runtime: Runtime, name: str | None, kind: Kind) -> Model:
    """The model of `kind` called `name`, else the default. Raises UnknownModel when there is no default."""
    try:
        return runtime.model(name, kind)
    except UnknownModel:
        return runtime.model(None, kind)
