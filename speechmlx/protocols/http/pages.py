"""Pages for people: where they lie, and what they may load."""

from __future__ import annotations

from pathlib import Path

WEB = Path(__file__).parents[2] / "web"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
