"""The JSON objects of Deepgram's /v1/listen that live and pre-recorded transcription share. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from speechmlx import __version__
from speechmlx.models.spec import Model
from speechmlx.protocols.deepgram.words import rounded


@dataclass(frozen=True, kw_only=True)
class ListenRequest:
    """One request or socket, as its answers name it."""

    id: str
    model: Model
    """The recogniser."""
    extra: tuple[tuple[str, str], ...] = ()
    tag: tuple[str, ...] = ()
    created: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def model_uuid(self) -> str:
        """The same for the same model."""
        return model_uuid(self.model)


def model_uuid(model: Model) -> str:
    """An id that is the same for the same model on every server."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"speechmlx:{model.name}"))


def model_info(model: Model) -> dict[str, str]:
    """{"name", "version", "arch"}"""
    return {"name": model.name, "version": __version__, "arch": model.engine.partition(":")[0].rpartition(".")[2]}


def metadata(request: ListenRequest, duration: float, channels: int, sha256: str = "") -> dict[str, Any]:
    """The metadata of a recording or of a stream. `duration`: seconds of audio; `sha256` of its bytes, in hex."""
    found: dict[str, Any] = {
        "transaction_key": "deprecated",
        "request_id": request.id,
        "sha256": sha256,
        "created": request.created.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "duration": rounded(duration),
        "channels": channels,
        "models": [request.model_uuid],
        "model_info": {request.model_uuid: model_info(request.model)},
    }
    return found | named(request)


def result_metadata(request: ListenRequest) -> dict[str, Any]:
    """The metadata of one message of results."""
    found: dict[str, Any] = {
        "request_id": request.id,
        "model_info": model_info(request.model),
        "model_uuid": request.model_uuid,
    }
    return found | named(request)


def named(request: ListenRequest) -> dict[str, Any]:
    """What a client sent to find in the answer again: "extra" and "tags", where it sent them."""
    found: dict[str, Any] = {}
    if request.extra:
        found["extra"] = dict(request.extra)
    if request.tag:
        found["tags"] = list(request.tag)
    return found


def results(
    request: ListenRequest,
    alternatives: Sequence[dict[str, Any]],
    window: tuple[float, float],
    channel: tuple[int, int] = (0, 1),
    *,
    is_final: bool,
    speech_final: bool = False,
    from_finalize: bool = False,
) -> dict[str, Any]:
    """A live message Results about the audio from and to `window` seconds. `channel`: (index, number of channels)."""
    start = rounded(window[0])
    return {
        "type": "Results",
        "channel_index": list(channel),
        "duration": rounded(max(0.0, window[1] - start)),
        "start": start,
        "is_final": is_final,
        "speech_final": speech_final,
        "from_finalize": from_finalize,
        "channel": {"alternatives": list(alternatives)},
        "metadata": result_metadata(request),
    }
