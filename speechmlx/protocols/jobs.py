"""Background jobs over HTTP: GET /v1/jobs, GET and DELETE /v1/jobs/{id}, /v1/jobs/{id}/result and /cancel.

They are made by the routes of recognition: see http/background.py.
"""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.errors import JobUnfinished
from speechmlx.jobs.background_job import JobState
from speechmlx.protocols.http import options
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.routing import Endpoint, Handler, RequestContext
from speechmlx.protocols.http.services import Services

MOST = 100
"""Jobs of one page."""
PAGE = 20
ANY = "any"


def routes(services: Services) -> list[BaseRoute]:
    """The routes."""

    def route(path: str, handler: Handler, method: str) -> Route:
        return Route(path, Endpoint(services, handler, problem, services.config.max_text_bytes), methods=[method])

    return [
        route("/v1/jobs", jobs, "GET"),
        route("/v1/jobs/{id}", job, "GET"),
        route("/v1/jobs/{id}", delete, "DELETE"),
        route("/v1/jobs/{id}/result", result, "GET"),
        route("/v1/jobs/{id}/cancel", cancel, "POST"),
    ]


async def jobs(context: RequestContext) -> Response:
    """Background jobs, the newest first (query: limit, after, state)"""
    fields = context.body.options
    limit = options.integer(fields, "limit", PAGE, 1, MOST)
    word = options.choice(fields, "state", (ANY, *(state.value for state in JobState)))
    state = None if word == ANY else JobState(word)
    found = await context.services.jobs.page(limit + 1, options.text(fields, "after"), state)
    data = [context.services.jobs.describe(one) for one in found[:limit]]
    return JSONResponse(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else None,
            "last_id": data[-1]["id"] if data else None,
            "has_more": len(found) > limit,
        }
    )


async def job(context: RequestContext) -> Response:
    """A background job: its state and progress"""
    found = await context.services.jobs.find(context.request.path_params["id"])
    return JSONResponse(context.services.jobs.describe(found))


async def result(context: RequestContext) -> Response:
    """The answer that the request of a background job would have got: status, headers and body"""
    found = await context.services.jobs.find(context.request.path_params["id"])
    if found.state == JobState.CANCELLED:
        raise JobUnfinished(f"the job {found.id} was cancelled, and has no result")
    if not found.state.is_end or found.status is None:
        raise JobUnfinished(f"the job {found.id} is {found.state.value}, and has no result yet; ask again later")
    body = await asyncio.to_thread(context.services.jobs.files.result, found.id, found.result)
    response = Response(body, found.status)
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in found.headers]
    if all(name.lower() != "content-length" for name, _ in found.headers):
        response.headers["content-length"] = str(len(body))
    return response


async def cancel(context: RequestContext) -> Response:
    """Cancel a background job that is queued or runs"""
    found = await context.services.jobs.find(context.request.path_params["id"])
    return JSONResponse(context.services.jobs.describe(await context.services.jobs.cancel(found)))


async def delete(context: RequestContext) -> Response:
    """Cancel a background job where it has not ended, and delete it and its result"""
    found = await context.services.jobs.find(context.request.path_params["id"])
    await context.services.jobs.delete(found)
    return JSONResponse({"id": found.id, "object": "job", "deleted": True})
