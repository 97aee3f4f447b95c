"""Asks again for the models of the settings that could not be admitted at the start."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial

from speechmlx.config import Config
from speechmlx.errors import UnknownModel
from speechmlx.models import admission
from speechmlx.models.spec import Catalog, Model
from speechmlx.runtime.front.apart import apart

log = logging.getLogger(__name__)

PERIOD = 60.0
"""Seconds between two tries."""


async def admit_later(known: Catalog, config: Config) -> None:
    """Tell the log of the absent models, and admit them when the hub answers, or when their owner pulls them."""
    missing, models = known.missing, dict(config.models)
    for row in missing:
        log.warning("requests for %s fail until it is known what it is: %s", row.name, row.absent)
    while missing:
        await asyncio.sleep(PERIOD)
        for kind, name in list(models.items()):
            try:
                one = replace(config, models={kind: name})
                await apart(partial(admission.admit_settings, known, one), "admission")
            except UnknownModel as error:
                log.error("%s", error)
                del models[kind]
        left = known.missing
        for row in missing:
            if row not in left:
                _tell(known, config, row)
        missing = left


def _tell(known: Catalog, config: Config, row: Model) -> None:
    try:
        known.check(config)
    except UnknownModel as error:  # of another kind, say: the next start is refused for that
        log.error("%s is known now, and does not fit the settings: %s", row.name, error)
    else:
        log.info("%s is known now", row.name)
