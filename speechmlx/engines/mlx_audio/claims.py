"""The memory that requests claim for their keys and values before they hold any."""

from __future__ import annotations

from dataclasses import dataclass

from speechmlx.engines import Room, Steps
from speechmlx.errors import BadRequest


@dataclass(eq=False)
class ClaimedMemory:
    """Bytes that one request may come to hold."""

    held: int = 0


def claim_room(room: Room, others: int, nbytes: int, family: str, what: str) -> None:
    """Have room for `nbytes` of one request beside the `others` of its model.

    Raises Busy where other models hold the memory, BadRequest where the request could never have it.
    """
    if nbytes > room.most:
        raise BadRequest(
            f"{what} takes {nbytes / 1e6:.0f} MB with {family}, and this model may have "
            f"{max(0, room.most) / 1e6:.0f} MB (--memory-limit)"
        )
    if nbytes:
        room.claim(others + nbytes)


def holding(claim: ClaimedMemory, steps: Steps) -> Steps:
    """`steps`, with its memory held until they end or are given up; also before the first of them."""
    try:
        yield from steps
    finally:
        claim.held = 0
