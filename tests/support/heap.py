"""What the garbage collector tracks, without a walk through all that was imported."""

from __future__ import annotations

import gc


def settle() -> int:
    """Collect, and leave all that is there now out of later collections. Returns the number of objects."""
    gc.collect()
    gc.freeze()
    return gc.get_freeze_count()


def made_since() -> list[object]:
    """What was made after `settle` and is in use; `gc.get_freeze_count()` are older."""
    gc.collect()
    return gc.get_objects()
