"""A server of tests that counts every address as public, so that it fetches from this machine. Never for people."""

from __future__ import annotations

from functools import partial

from support import scripted

from speechmlx.models.spec import Catalog
from speechmlx.protocols.http import services
from speechmlx.protocols.http.url_fetch import UrlFetcher


def extend(catalog: Catalog) -> Catalog:
    """The catalog with the scripted rows; SPEECHMLX_CATALOG names this function."""
    vars(services)["UrlFetcher"] = partial(UrlFetcher, permitted=lambda address: True)
    return scripted.extend(catalog)
