"""Asks again for the models of the settings that could not be admitted at the start."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from speechmlx.config import Config
from speechmlx.errors import UnknownModel
from speechmlx.models import admission
from speechmlx.models.spec import Catalog

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
                await asyncio.to_thread(admission.admit_settings, known, replace(config, models={kind: name}))
            except UnknownModel as error:
                log.error("%s", error)
                del models[kind]
        left = known.missing
        for row in missing:
            if row not in left:
                log.info("%s is known now", row.name)
        missing = left
