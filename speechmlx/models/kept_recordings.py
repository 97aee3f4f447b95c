"""Recordings that are kept as private files: a folder for each, 0700, with a WAV file and a record in JSON, 0600.

A folder is complete, or it is not there: it is made, and deleted, under another name. Everything here blocks.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from speechmlx.errors import BadRequest, NoRoom
from speechmlx.private_files import sync_folder, write_private
from speechmlx.types import Audio

if TYPE_CHECKING:
    from speechmlx.types import Samples

log = logging.getLogger(__name__)

Record = TypeVar("Record")
"""A dataclass with an `id`."""

RATE = 48000
"""Hz of what is kept: no model's own rate is higher."""
RECORD, SOUND = "record.json", "recording.wav"
ID = re.compile(r"[a-z]{1,10}_[0-9a-f]{24}")
"""A kind and digits; nothing else is ever a part of a path."""
STALE = 3600.0
"""Seconds after which an unfinished folder is deleted: whoever made it has ended."""
HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class KeptRecordings:
    """The recordings in `folder`, which need not exist. Raises NoRoom where the disk cannot be used."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, id: str) -> bool:
        """Whether there is a recording with this id."""
        return bool(ID.fullmatch(id)) and (self.folder / id).is_dir()

    def record(self, id: str, form: type[Record]) -> Record | None:
        """What is known of a recording; None: it is not there. Raises BadRequest for one that is damaged."""
        if not ID.fullmatch(id):
            return None
        with self._room():
            try:
                data = (self.folder / id / RECORD).read_bytes()
            except FileNotFoundError:
                return None
        try:
            return form(**json.loads(data))
        except (ValueError, TypeError) as error:
            raise BadRequest(f"the record of {id} is damaged ({error}): delete it, and store it again") from None

    def records(self, kind: str, form: type[Record]) -> Iterator[Record]:
        """What is known of all recordings of a kind, by their ids. Damaged ones are logged and left out."""
        for id in self._ids(kind):
            try:
                record = self.record(id, form)
            except BadRequest as error:
                log.warning("%s: %s", self.folder, error)
                continue
            if record is not None:
                yield record

    def sound(self, id: str) -> Audio | None:
        """A recording at RATE; None: it is not there. Raises BadRequest for one that is damaged."""
        from speechmlx.audio.pcm import from_pcm16

        with self._room():
            try:
                data = (self.folder / id / SOUND).read_bytes()
            except FileNotFoundError:
                return None
        if data[: HEADER.size] != _header(max(0, len(data) - HEADER.size)):
            raise BadRequest(f"the recording of {id} is damaged: delete it, and store it again")
        return Audio(from_pcm16(memoryview(data)[HEADER.size :]), RATE)

    def keep(self, record: Any, pcm: bytes, most: int) -> None:
        """Keep mono PCM16 at RATE and what is known of it: a dataclass with the `id`.

        Raises BadRequest where there are `most` of its kind, or one with this id.
        """
        id: str = record.id
        kind = id.partition("_")[0]
        with self._room():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep()
            if len(self._ids(kind)) >= most:
                raise BadRequest(f"{most} recordings are kept, which is the limit: delete one first")
            new = self.folder / f".new-{secrets.token_hex(8)}"
            new.mkdir(mode=0o700)
            try:
                write_private(new / SOUND, (_header(len(pcm)), pcm))
                write_private(new / RECORD, (_json(record),))
                os.rename(new, self.folder / id)  # fails where the folder is there, as it is not empty
            except OSError:
                shutil.rmtree(new, ignore_errors=True)
                if self.has(id):
                    raise BadRequest("there is a recording of this name: delete it first") from None
                raise
            sync_folder(self.folder)

    def change(self, record: Any) -> None:
        """Write what is known of a recording anew."""
        place = self.folder / record.id / RECORD
        new = place.with_name(f".{secrets.token_hex(4)}")
        with self._room():
            write_private(new, (_json(record),))
            os.replace(new, place)

    def remove(self, id: str) -> bool:
        """Delete a recording. False: it is not there."""
        gone = self.folder / f".gone-{secrets.token_hex(8)}"
        with self._room():
            try:
                os.rename(self.folder / id, gone)
            except FileNotFoundError:
                return False
            shutil.rmtree(gone)
            sync_folder(self.folder)
        return True

    def _ids(self, kind: str) -> list[str]:
        with self._room():
            return sorted(path.name for path in self.folder.glob(f"{kind}_*") if ID.fullmatch(path.name))

    def _sweep(self) -> None:
        """Delete what a server that ended left unfinished."""
        for path in self.folder.glob(".*-*"):
            try:
                if time.time() - path.stat().st_mtime > STALE:
                    shutil.rmtree(path, ignore_errors=True)
            except FileNotFoundError:
                continue

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise NoRoom(
                f"the folder of voices ({self.folder}) cannot be used: {error.strerror or error}; make room there, or "
                "see voice_folder"
            ) from error


def pcm_of(samples: Samples) -> bytes:
    """What is kept of samples at RATE."""
    from speechmlx.audio.pcm import to_pcm16

    return to_pcm16(samples)


def _header(size: int) -> bytes:
    """The beginning of a WAV file with `size` bytes of mono PCM16 at RATE."""
    form = (16, 1, 1, RATE, 2 * RATE, 2, 16)
    return HEADER.pack(b"RIFF", HEADER.size - 8 + size, b"WAVE", b"fmt ", *form, b"data", size)


def _json(record: Any) -> bytes:
    return json.dumps(asdict(record)).encode()
