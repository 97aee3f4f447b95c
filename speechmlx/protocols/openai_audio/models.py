"""GET /v1/models, /v1/models/{id} and /v1/audio/models.

The answers have OpenAI's fields, and those that Xinference's client and Open WebUI read.
"""

from __future__ import annotations

import time
from typing import Any

from starlette.responses import JSONResponse, Response

from speechmlx.models.spec import Model
from speechmlx.protocols.http.model_names import ModelNames, abilities
from speechmlx.protocols.http.routing import RequestContext
from speechmlx.runtime.front.status import ModelStatus
from speechmlx.types import Kind

STARTED = int(time.time())
AUDIO = (Kind.ASR, Kind.TTS, Kind.S2S, Kind.ENHANCE)


async def models(context: RequestContext) -> Response:
    """Models that can be named, and what they are doing"""
    return JSONResponse({"object": "list", "data": _listed(context.services.names)})


async def audio_models(context: RequestContext) -> Response:
    """Models that hear, speak or enhance; beside them those that speak, for a choice of voices"""
    rows = [row for row in _listed(context.services.names) if row["kind"] in AUDIO]
    speaking = [{"id": row["id"], "name": row["id"]} for row in rows if row["kind"] == Kind.TTS]
    return JSONResponse({"object": "list", "data": rows, "models": speaking})


async def model(context: RequestContext) -> Response:
    """One model"""
    names = context.services.names
    name = context.request.path_params["model"]
    row = names.find(name)
    states = {model.name: model for model in names.runtime.status().models}
    return JSONResponse(as_model(name, row, states.get(row.name), names.runtime.licences.accepted(row)))


def _listed(names: ModelNames) -> list[dict[str, Any]]:
    """The models of the catalog, then the models that were launched under other names."""
    states = {model.name: model for model in names.runtime.status().models}
    catalog, config = names.runtime.catalog, names.runtime.config
    defaults = {kind: catalog.default(kind, config).name for kind in catalog.kinds(config)}
    listener = catalog.listener(config).name if Kind.ASR in defaults else None
    accepted = names.runtime.licences.accepted
    rows = [
        {
            **as_model(row.name, row, states.get(row.name), accepted(row)),
            "default": row.name == defaults.get(row.kind),
            "default_live": row.name == listener,
        }
        for row in catalog.offered()
    ]
    for launch in names.launched.values():
        if launch.uid not in names.runtime.catalog.names():
            row = names.find(launch.uid)
            rows.append(as_model(launch.uid, row, states.get(row.name), accepted(row)))
    return rows


def as_model(id: str, row: Model, state: ModelStatus | None, accepted: bool) -> dict[str, Any]:
    """A model under the name `id`. `state` is None where it is not in memory; `size` is bytes to download.

    `accepted`: whether its licence allows all uses, or was accepted on this machine.
    """
    return {
        "id": id,
        "object": "model",
        "created": STARTED,
        "owned_by": "speechmlx",
        "kind": row.kind,
        "languages": row.languages,
        "licence": row.licence,
        "licence_accepted": accepted,
        "size": row.size,
        "aliases": row.aliases,
        "state": state.state if state else "cold",
        "pinned": bool(state and state.pinned),
        "model_type": "LLM" if row.kind is Kind.LLM else "audio",
        "model_name": row.name,
        "model_family": row.engine.partition(":")[0].rpartition(".")[2],
        "model_lang": row.languages,
        "model_ability": abilities(row),
        "model_revision": None,
        "address": None,
        "accelerators": [],
        "replica": 1,
    }
