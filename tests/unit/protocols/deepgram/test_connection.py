"""A handshake: the subprotocol that is accepted, the language of the recogniser."""

from __future__ import annotations

from dataclasses import replace

import pytest

from speechmlx.errors import Unsupported
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.deepgram.connection import language_of, subprotocol
from speechmlx.types import Kind

MODEL = replace(CATALOG.resolve(CATALOG.of_profile("starter")[Kind.ASR]), languages=("en", "fr"))


@pytest.mark.parametrize(
    ("offered", "accepted"),
    [([], None), (["token", "KEY"], "token"), (["Bearer", "KEY"], "Bearer"), (["KEY"], None)],
)
def test_a_subprotocol_is_never_a_key(offered: list[str], accepted: str | None) -> None:
    assert subprotocol(offered) == accepted


def test_a_language_that_the_model_lacks_is_refused_where_it_was_asked_for() -> None:
    assert language_of(MODEL, "fr", False) == "fr"
    assert language_of(MODEL, None, False) is None
    assert language_of(replace(MODEL, languages=("fr",)), "en", True) is None
    with pytest.raises(Unsupported, match="de"):
        language_of(MODEL, "de", False)
