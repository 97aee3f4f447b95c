"""Config: one frozen dataclass; defaults < file < environment < flags."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a person can set. Sizes are bytes, times seconds."""

    host: str = "127.0.0.1"
    port: int = 8080
    binds: tuple[str, ...] = ()
    """More addresses (host:port) for the same routes."""
    preload: bool = False
    profile: str | None = None
    """"starter" or "standard"; None: standard on Apple silicon, else starter."""
    models: dict[str, str] = field(default_factory=dict)
    """Model per kind, over the profile's: {"asr": "whisper-base"}."""
    cache: Path | None = None
    """None: ~/Library/Caches/speechmlx on macOS, $XDG_CACHE_HOME/speechmlx elsewhere."""
    idle_unload: float = 0.0
    """Seconds after which an unused model leaves memory; 0 never."""
    memory_limit: int = 0
    """Bytes of model weights; 0: 70 % of the machine's memory."""
    max_jobs: int = 64
    """Running and waiting; one more is refused as busy."""
    max_audio_bytes: int = 100 * 1024 * 1024
    max_text_bytes: int = 1024 * 1024
    drain_timeout: float = 10.0
    log_level: str = "info"
