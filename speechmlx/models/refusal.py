"""What a request is told for a row of the catalog that no version of this server runs."""

from __future__ import annotations

from collections.abc import Iterator

from speechmlx.errors import BadRequest, ModelUnavailable, Unsupported
from speechmlx.models.spec import Model
from speechmlx.types import ReferenceVoice, Request, Synthesis


def refuse(row: Model, request: Request | None = None) -> None:
    """Raises Unsupported, which says why the row cannot run, and BadRequest where a request to speak lacks what it
    requires; ModelUnavailable where it is not known yet what it is. Does nothing for a row that can run.
    None: to fetch the row.
    """
    if row.absent:
        raise ModelUnavailable(f"it is not known yet what {row.name} is: {row.absent}")
    if not row.refusal:
        return
    brought = dict(_brought(request)) if isinstance(request, Synthesis) else {}
    missing = [name for name in row.requires if name not in brought]
    if missing and isinstance(request, Synthesis):
        given = ", ".join(f"{name}=open(..., 'rb').read()" for name in row.requires)
        raise BadRequest(
            f"{row.name} requires {' and '.join(row.requires)}, and there is no {' and no '.join(missing)}: "
            f"model.speech(text, {given}). Even so it cannot run here: {row.refusal}"
        )
    arrived = f"{' and '.join(brought.values())} arrived, but " if brought else ""
    raise Unsupported(f"{arrived}{row.name} cannot run here: {row.refusal}")


def _brought(request: Synthesis) -> Iterator[tuple[str, str]]:
    """What a request brings to imitate a voice, by the name of its field, in words."""
    if isinstance(request.voice, ReferenceVoice):
        yield "prompt_speech", f"a recording of {request.voice.audio.duration:.1f} s"
    latent = request.options.get("prompt_latent")
    if isinstance(latent, bytes) and latent:
        yield "prompt_latent", f"a latent of {len(latent)} bytes"
