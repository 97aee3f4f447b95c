"""POST /v1/models/{model}/pull: the weights of a model come onto this machine, and nothing is loaded."""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.errors import BadRequest
from speechmlx.models import admission, store
from speechmlx.models.spec import REPOSITORY
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.routing import Endpoint, RequestContext
from speechmlx.protocols.http.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """The route."""
    endpoint = Endpoint(services, pull, problem, services.config.max_text_bytes)
    return [Route("/v1/models/{model:path}/pull", endpoint, methods=["POST"])]


def _admit(context: RequestContext, name: str) -> None:
    """A client that may manage models may have any repository of the hub; folders are named at the machine alone."""
    config = context.services.config
    if name not in context.services.names.launched and REPOSITORY.fullmatch(name):
        admission.admit(context.runtime.catalog, [name], store.cache_folder(config))


async def pull(context: RequestContext) -> Response:
    """Fetch a model's weights, without loading it. DELETE /v1/models/{model} stops that"""
    name = context.request.path_params["model"]
    await asyncio.to_thread(_admit, context, name)
    row = context.services.names.find(name)
    await asyncio.to_thread(context.runtime.licences.require, row)
    if not await context.runtime.fetches.pull(row):
        raise BadRequest(f"fetching {row.name!r} was stopped; what came so far is kept for the next time")
    size = await asyncio.to_thread(store.size, row, store.cache_folder(context.services.config))
    return JSONResponse({"model": row.name, "size": size})
