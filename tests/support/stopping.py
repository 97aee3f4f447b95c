"""A catalog during whose reading the server gets the signal $STOP_WITH: it is not up then."""

from __future__ import annotations

import os
import signal

from speechmlx.models.spec import Catalog


def extend(catalog: Catalog) -> Catalog:
    signal.raise_signal(int(os.environ["STOP_WITH"]))
    return catalog
