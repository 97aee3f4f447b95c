"""The file of named keys: `audio-server key` writes it, a running server reads it whenever it changes.

A key is random and 256 bits long, so its SHA-256 is enough to recognise it and tells nobody the key.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from speechmlx.errors import BadRequest

USE, MANAGE, METRICS = "use", "manage", "metrics"
SCOPES = {
    USE: "transcribe, speak, talk, and read what models there are",
    MANAGE: "launch and terminate models, store and delete voices",
    METRICS: "read /metrics",
}
"""What a key may open, and what that is."""
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
MARK = "smx-"
"""Every made key begins so, for people who find one."""
MODE = 0o600

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ClientLimits:
    """What one client may use; None has no limit of its own."""

    requests_per_minute: int | None = None
    audio_seconds_per_day: int | None = None
    jobs: int | None = None
    """Requests at once that do work."""
    sessions: int | None = None
    """Live sessions at once."""


LIMITS = tuple(field.name for field in fields(ClientLimits))


@dataclass(frozen=True)
class NamedKey:
    """One key: its name, the SHA-256 of its text in hexadecimal digits, what it opens and how much."""

    name: str
    sha256: str
    scopes: tuple[str, ...] = (USE,)
    limits: ClientLimits = ClientLimits()


def digest(key: str) -> str:
    """The SHA-256 of a key in hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def make_key(name: str, scopes: Iterable[str], limits: ClientLimits) -> tuple[NamedKey, str]:
    """A new key and its text, which is nowhere else. Raises BadRequest."""
    text = MARK + secrets.token_urlsafe(32)
    return _checked({"name": name, "sha256": digest(text), "scopes": list(scopes), **asdict(limits)}), text


class KeyFile:
    """The named keys in one file of JSON, which its owner alone can read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None
        self._keys: tuple[NamedKey, ...] | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a file. Without one, it asks nobody for a key."""
        return self.path.exists()

    def read(self) -> tuple[NamedKey, ...]:
        """The keys; none without a file. Raises BadRequest naming what is wrong."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise BadRequest(f"the file of keys {self.path} cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the file of keys {self.path} is not JSON: {error}") from error
        if not isinstance(content, dict) or not isinstance(content.get("keys"), list):
            raise BadRequest(f'the file of keys {self.path} is not an object with a list "keys"')
        try:
            return tuple(_checked(entry) for entry in content["keys"])
        except BadRequest as error:
            raise BadRequest(f"the file of keys {self.path}: {error}") from error

    def current(self) -> tuple[NamedKey, ...] | None:
        """The keys now; None if there never was a file. A file that went or is wrong changes nothing but the log.

        So a slip while it is edited opens the server to nobody.
        """
        try:
            found = self.path.stat()
        except OSError:
            return self._keys
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._keys = self.read()
            except BadRequest as error:
                log.error("%s; the keys stay as they were", error)
                self._keys = self._keys or ()
        return self._keys

    def add(self, key: NamedKey) -> None:
        """Add a key. Raises BadRequest if its name is taken."""
        with self._locked():
            keys = self.read()
            if any(known.name == key.name for known in keys):
                raise BadRequest(f"there is a key {key.name!r} already; remove it first or choose another name")
            self._write((*keys, key))

    def remove(self, name: str) -> None:
        """Remove a key. The file stays, so that without its last key the server is closed. Raises BadRequest."""
        with self._locked():
            keys = self.read()
            if all(key.name != name for key in keys):
                there = ", ".join(key.name for key in keys) or "none"
                raise BadRequest(f"there is no key {name!r}; keys: {there}")
            self._write(tuple(key for key in keys if key.name != name))

    def _locked(self) -> Any:
        from filelock import FileLock  # here: the server does not write

        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BadRequest(f"the folder of the file of keys {self.path} cannot be made: {error.strerror}") from error
        return FileLock(f"{self.path}.lock", mode=MODE)

    def _write(self, keys: tuple[NamedKey, ...]) -> None:
        """Replace the file at once. Raises BadRequest."""
        text = json.dumps({"keys": [_entry(key) for key in keys]}, indent=2) + "\n"
        fresh = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE), "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise BadRequest(f"the file of keys {self.path} cannot be written: {error.strerror}") from error


def _entry(key: NamedKey) -> dict[str, Any]:
    limits = {name: value for name, value in asdict(key.limits).items() if value is not None}
    return {"name": key.name, "sha256": key.sha256, "scopes": list(key.scopes), **limits}


def _checked(entry: Any) -> NamedKey:
    """A key from its entry in the file. Raises BadRequest."""
    if not isinstance(entry, Mapping):
        raise BadRequest(f"{entry!r} is no key; a key is an object")
    if unknown := sorted(set(entry) - {"name", "sha256", "scopes", *LIMITS}):
        raise BadRequest(f"a key has no {unknown[0]!r}; it has name, sha256, scopes, {', '.join(LIMITS)}")
    name, sha256, scopes = entry.get("name"), entry.get("sha256"), entry.get("scopes", [USE])
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadRequest(f"{name!r} is no name of a key; it has 1 to 64 letters, digits, '.', '_' and '-'")
    if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise BadRequest(f"the sha256 of the key {name!r} is not 64 hexadecimal digits")
    if not isinstance(scopes, list) or not scopes or not all(scope in list(SCOPES) for scope in scopes):
        raise BadRequest(f"the scopes {scopes!r} of the key {name!r} cannot be; scopes: {', '.join(SCOPES)}")
    limits = {limit: entry[limit] for limit in LIMITS if entry.get(limit) is not None}
    for limit, value in limits.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise BadRequest(f"{limit} = {value!r} of the key {name!r} cannot be; allowed is 1 and more")
    return NamedKey(name, sha256, tuple(dict.fromkeys(scopes)), ClientLimits(**limits))
