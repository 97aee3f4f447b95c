"""The field `pronunciations` of a request for speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from speechmlx.errors import BadRequest
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.options import value
from speechmlx.types import Pronunciation

FIELD = "pronunciations"


def read_pronunciations(fields: Mapping[str, Any]) -> tuple[Pronunciation, ...]:
    """How words of the request are said: JSON, or its text from a form. () where there is none. Raises BadRequest."""
    given = value(fields, FIELD)
    if given is None:
        return ()
    if isinstance(given, str):
        try:
            given = read_json(given)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"{FIELD!r} is not valid JSON: {error}") from error
    from speechmlx.reading.entries import read_entries  # here: the server starts without what reading needs

    return read_entries(given)
