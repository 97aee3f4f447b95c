"""Licences that forbid some uses: the owner of the machine accepts each once, by its name.

What was accepted is kept beside the settings file, readable for its owner alone: weights that are copied to another
machine bring no acceptance with them.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from speechmlx.config import Config
from speechmlx.config_sources import default_file
from speechmlx.errors import BadRequest, LicenceNotAccepted, ModelUnavailable, UnknownModel
from speechmlx.models.refusal import refuse
from speechmlx.models.spec import Catalog, Model
from speechmlx.private_files import write_private
from speechmlx.types import Request, Unload

FOLDER = "licences"
"""Beside the default settings file: a file for each licence that was accepted."""


class Licences:
    """The licences accepted by the setting `accept_licence`, or on this machine before. Everything here blocks."""

    def __init__(self, config: Config, environment: Mapping[str, str] = os.environ) -> None:
        self._accepted = {name.casefold() for name in config.accept_licence}
        self._folder = default_file(environment).with_name(FOLDER)

    def accepted(self, row: Model) -> bool:
        """Whether the row may be fetched and used. Reads the disk until it may, so that a `pull` counts at once."""
        name = row.licence_name.casefold()
        if not row.limits_use or name in self._accepted:
            return True
        with suppress(OSError):  # a folder that this account may not read has nothing that it accepted
            if self._file(name).exists():
                self._accepted.add(name)
        return name in self._accepted

    def require(self, row: Model, request: Request | None = None) -> None:
        """Raises what `check` and `refuse` raise. None: to fetch the row. An Unload is always allowed."""
        if isinstance(request, Unload):
            return
        refuse(row, request)
        self.check(row)

    def check(self, row: Model) -> None:
        """Raises LicenceNotAccepted, which names the licence and the ways to accept it."""
        if not self.accepted(row):
            raise LicenceNotAccepted(
                f"the licence of {row.name} was not accepted on this machine: {row.licence}. Its owner accepts it with "
                f"`audio-server pull {row.name}`, which asks, or with the setting accept_licence: "
                f"`audio-server serve --accept-licence {shlex.quote(row.licence_name)}`"
            )

    def require_chosen(self, known: Catalog, config: Config) -> None:
        """Raises LicenceNotAccepted for a default model that the settings name. `known.check` tells of wrong names."""
        for name in config.models.values():
            try:
                self.require(known.resolve(name))
            except (UnknownModel, ModelUnavailable):
                continue

    def accept(self, row: Model) -> None:
        """Remember that the row's licence is accepted. Raises BadRequest where that cannot be written."""
        name = row.licence_name.casefold()
        when = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._file(name).exists():
                self._write(name, f"{row.licence}\naccepted {when} for {row.name}\n")
        except OSError as error:
            raise BadRequest(
                f"that {row.licence_name} is accepted cannot be written to {self._folder}: {error.strerror}"
            ) from error
        self._accepted.add(name)

    def _write(self, name: str, text: str) -> None:
        """A whole file or none: that it is there counts. Another process may write it meanwhile."""
        part = self._file(name).with_name(f".{os.getpid()}-{secrets.token_hex(4)}.part")
        try:
            write_private(part, [text.encode()])
            part.replace(self._file(name))
        finally:
            part.unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._folder / re.sub(r"[^\w.+-]", "-", name)
