"""Xinference's routes beside OpenAI's audio API: launching models, ending them, and listing what can be launched.

A launch loads a model and pins it under a uid. Ending it takes the model out of memory. A launch is optional: any name
of the catalog can be used at once. `model_engine` must be one of Xinference's; it changes nothing, and neither do
`model_format` and `quantization`: every model runs on MLX here, in the form that its row has.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.errors import BadRequest, Busy, SpeechError, UnknownModel, Unsupported
from speechmlx.models import store
from speechmlx.models.spec import Model
from speechmlx.names import listed
from speechmlx.protocols.http import options
from speechmlx.protocols.http.model_names import LaunchedModel, ModelNames, abilities
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.routing import Endpoint, RequestContext
from speechmlx.protocols.http.services import Services
from speechmlx.runtime.front.runtime import Runtime
from speechmlx.runtime.front.status import ModelStatus
from speechmlx.types import Kind, Load, Priority, Unload

LANG_CODES = {"a": "en", "b": "en-gb", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt", "z": "zh"}
"""Kokoro's letters for languages in `lang_code`, which may also be a code or a name."""
REFUSED = ("model_path", "peft_model_config")
"""Settings of a launch that would change the weights, which are the catalog's."""
ENGINES = ("MLX", "PyTorch", "transformers", "vLLM", "SGLang", "llama.cpp", "TRT-LLM", "diffusers")
"""What Xinference's catalogue names as `model_engine`, in any case."""
TYPES = {"audio": (Kind.ASR, Kind.TTS), "LLM": (Kind.LLM,)}
PATIENCE = 2.0
"""Seconds that ending a model waits for its jobs to end."""
MOST_LAUNCHED, LONGEST_UID = 256, 200
"""Launches at once, and characters of a uid, at most."""
MOST_FAILED = 100
"""Failed launches whose errors are kept."""
WRONG_LOGIN = "this server wants one of its API keys as the password; any username is taken"
SHARES = {"fetching": (0.0, 0.8), "loading": (0.8, 0.95)}
"""Part of a launch's progress that each state covers."""


def routes(services: Services) -> list[BaseRoute]:
    """The routes. They go before any `/v1/models/{name:path}`, which takes slashes."""
    limit = services.config.max_text_bytes
    table = (
        ("GET", "/v1/cluster/auth", auth),
        ("POST", "/token", token),
        ("GET", "/v1/address", address),
        ("POST", "/v1/models", launch),
        ("GET", "/v1/models/instances", instances),
        ("GET", "/v1/models/{uid:path}/progress", progress),
        ("POST", "/v1/models/{uid:path}/cancel", cancel),
        ("DELETE", "/v1/models/{uid:path}", terminate),
        ("GET", "/v1/model_registrations/{type}", registrations),
        ("GET", "/v1/model_registrations/{type}/{name:path}", registration),
        ("POST", "/v1/model_registrations/{type}", register),
        ("DELETE", "/v1/model_registrations/{type}/{name:path}", unregister),
        ("GET", "/v1/cache/models", cached),
    )
    return [
        Route(path, Endpoint(services, handler, problem, limit), methods=[method]) for method, path, handler in table
    ]


# --- The cluster -------------------------------------------------------------------------------------------------


async def auth(context: RequestContext) -> Response:
    """Whether Xinference's client must log in: where the server has keys"""
    return JSONResponse({"auth": context.services.keys.needed})


async def token(context: RequestContext) -> Response:
    """A login: the password is a key of the server, and then the token (JSON: username, password)"""
    keys = context.services.keys
    if not keys.needed:
        return JSONResponse({"access_token": "none-needed", "token_type": "bearer"})
    password = options.text(context.body.options, "password") or ""
    if keys.find([password]) is None:
        told = {"error": WRONG_LOGIN, "detail": WRONG_LOGIN}
        return JSONResponse(told, 401, {"WWW-Authenticate": "Bearer"})
    return JSONResponse({"access_token": password, "token_type": "bearer"})


async def address(context: RequestContext) -> Response:
    """Where the server is"""
    return JSONResponse(context.request.url.netloc)


# --- Launching and ending ----------------------------------------------------------------------------------------


async def launch(context: RequestContext) -> Response:
    """Load a model and keep it in memory under a uid (JSON: model_name, model_uid, lang_code; wait_ready)"""
    fields, names = context.body.options, context.services.names
    wait = options.flag(fields, "wait_ready", True)
    row = _row(context.runtime, fields)
    uid = options.text(fields, "model_uid") or options.text(fields, "model_name") or row.name
    _check_uid(names, uid, row)
    known, language = names.launched.get(uid), _language(fields)
    if known is not None and known.language != language:
        raise BadRequest(f"{uid!r} is launched with the language {known.language}; end it first or choose another uid")
    if known is None:
        names.failed.pop(uid, None)
        known = LaunchedModel(uid, row.name, language, asyncio.create_task(_load(context.runtime, row)))
        names.launched[uid] = known
        assert known.loading is not None
        known.loading.add_done_callback(lambda task: _on_launched(names, uid, task))
    if wait and known.loading is not None:
        await asyncio.wait({known.loading})
        if known.loading.cancelled():
            raise BadRequest("the launch was given up")
        known.loading.result()
    return JSONResponse({"model_uid": uid})


async def terminate(context: RequestContext) -> Response:
    """Take a launched model out of memory"""
    names, uid = context.services.names, context.request.path_params["uid"]
    ended = names.launched.get(uid)
    row = names.find(uid)
    others = [other.uid for other in names.launched.values() if other.model == row.name and other is not ended]
    if ended is None and row.name not in {model.name for model in context.runtime.status().models}:
        running = listed(uid, _running(names), "GET /v1/models/instances lists what was launched")
        raise UnknownModel(f"the model {uid!r} is not running; running: {running}")
    if ended is None and others:
        raise BadRequest(f"{uid!r} runs as {', '.join(others)}: end it under each of those uids")
    cancelled = ended is not None and _cancel_loading(ended)
    names.launched.pop(uid, None)  # at once, even if the client leaves or the engine fails
    try:
        if not others:
            await _unload(context.runtime, row)
    except Busy:
        if ended is not None and not cancelled:
            names.launched.setdefault(uid, ended)  # its jobs still run; it can be ended later
        raise
    return JSONResponse(None)


async def cancel(context: RequestContext) -> Response:
    """Give up a launch that is under way"""
    names, uid = context.services.names, context.request.path_params["uid"]
    known = names.launched.get(uid)
    if known is None or not _cancel_loading(known):
        raise BadRequest(f"no launch of {uid!r} is under way")
    names.launched.pop(uid, None)
    return JSONResponse(None)


async def progress(context: RequestContext) -> Response:
    """How far a launch is, from 0 to 1"""
    names, uid = context.services.names, context.request.path_params["uid"]
    if (error := names.failed.get(uid)) is not None:
        raise error
    row = names.find(uid)
    states = {model.name: model for model in context.runtime.status().models}
    return JSONResponse({"progress": _share(states.get(row.name))})


async def instances(context: RequestContext) -> Response:
    """Launched models, optionally of one name or uid"""
    names, fields = context.services.names, context.body.options
    names_sent = {options.text(fields, "model_uid"), options.text(fields, "model_name")} - {None}
    return JSONResponse(
        [
            {"model_uid": model.uid, "model_name": model.model, "status": "CREATING" if _is_loading(model) else "READY"}
            for model in names.launched.values()
            if not names_sent or names_sent & {model.uid, model.model}
        ]
    )


def _row(runtime: Runtime, fields: Any) -> Model:
    """The model to launch. Raises UnknownModel, and BadRequest for settings that cannot be followed."""
    name = options.text(fields, "model_name")
    if name is None:
        raise BadRequest("missing 'model_name': what to launch; GET /v1/models lists the models")
    for setting in REFUSED:
        if fields.get(setting):
            raise Unsupported(f"{setting!r} cannot be set: the weights of a model are those the catalog names")
    engine = options.text(fields, "model_engine")
    if engine is not None and engine.strip().lower() not in map(str.lower, ENGINES):
        raise BadRequest(
            f"there is no model_engine {engine!r:.60}; known are {', '.join(ENGINES)}, and every model runs on MLX, "
            "whichever is named"
        )
    for setting in ("replica", "n_worker"):
        options.integer(fields, setting, 1, 1, 1)
    kind = Kind.LLM if options.text(fields, "model_type") == "LLM" and name not in runtime.catalog.names() else None
    return runtime.model(name, kind)


def _check_uid(names: ModelNames, uid: str, row: Model) -> None:
    """Raises BadRequest where `uid` already means another model, is too long, or would be one too many."""
    if len(uid) > LONGEST_UID:
        raise BadRequest(f"'model_uid' has {len(uid)} characters; allowed are {LONGEST_UID}")
    if uid not in names.launched and len(names.launched) >= MOST_LAUNCHED:
        raise BadRequest(
            f"{MOST_LAUNCHED} models are launched, which is the limit; end one first (DELETE /v1/models/UID)"
        )
    try:
        known = names.find(uid)
    except UnknownModel:
        return
    if known.name != row.name:
        raise BadRequest(f"the uid {uid!r} already means the model {known.name!r}; choose another")


def _language(fields: Any) -> str | None:
    code = options.text(fields, "lang_code")
    return None if code is None else LANG_CODES.get(code.strip().lower()) or options.dialect({"language": code})


async def _load(runtime: Runtime, row: Model) -> None:
    await runtime.submit(Load(model=row.name, pin=True, priority=Priority.INTERACTIVE)).finished()


def _on_launched(names: ModelNames, uid: str, task: asyncio.Task[None]) -> None:
    """Forget a launch that failed, and keep its error."""
    if task.cancelled():
        return
    error = task.exception()
    names.failed.pop(uid, None)
    if error is not None and (launch := names.launched.get(uid)) is not None and launch.loading is task:
        names.launched.pop(uid, None)
        if isinstance(error, SpeechError):
            names.failed[uid] = error
            for oldest in list(names.failed)[:-MOST_FAILED]:
                del names.failed[oldest]


async def _unload(runtime: Runtime, row: Model) -> None:
    """Unload the model, after at most PATIENCE for its jobs to end. Raises Busy where they do not."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            await runtime.submit(Unload(model=row.name)).finished()
            return
        except Busy:
            if asyncio.get_running_loop().time() > end:
                raise
            await asyncio.sleep(0.05)


def _running(names: ModelNames) -> list[str]:
    return [*names.launched, *(model.name for model in names.runtime.status().models)]


def _cancel_loading(model: LaunchedModel) -> bool:
    """Cancel the loading. False where the model does not load."""
    return model.loading is not None and model.loading.cancel()


def _is_loading(model: LaunchedModel) -> bool:
    return model.loading is not None and not model.loading.done()


def _share(state: ModelStatus | None) -> float:
    """The progress of a launch, from 0 for a model that is not in memory to 1 for a loaded model."""
    if state is None or state.state == "loaded":
        return 0.0 if state is None else 1.0
    low, high = SHARES[state.state]
    done = state.progress.done / state.progress.total if state.progress and state.progress.total else 0.0
    return round(low + (high - low) * min(1.0, done), 3)


# --- What there is to launch -------------------------------------------------------------------------------------


async def registrations(context: RequestContext) -> Response:
    """Models of a type that can be launched (type: audio or LLM)"""
    kinds = TYPES.get(context.request.path_params["type"], ())
    detailed = options.flag(context.body.options, "detailed")
    rows = [row for row in context.runtime.catalog.offered() if row.kind in kinds]
    return JSONResponse(
        [_registered(row) if detailed else {"model_name": row.name, "is_builtin": True} for row in rows]
    )


async def registration(context: RequestContext) -> Response:
    """One model that can be launched"""
    type, name = context.request.path_params["type"], context.request.path_params["name"]
    row = context.runtime.model(name, None)
    if row.kind not in TYPES.get(type, ()):
        raise UnknownModel(f"{name!r} is a {row.kind} model, which is not of the type {type!r}; types: audio, LLM")
    return JSONResponse(_registered(row))


async def register(context: RequestContext) -> Response:
    """Refused: models are rows of the catalog"""
    raise Unsupported("models cannot be registered over HTTP: a model is a row of the server's catalog")


async def unregister(context: RequestContext) -> Response:
    """Refused: models are rows of the catalog"""
    raise Unsupported("models cannot be unregistered over HTTP: a model is a row of the server's catalog")


async def cached(context: RequestContext) -> Response:
    """Models whose weights are on this machine"""
    cache = store.cache_folder(context.services.config)
    name = options.text(context.body.options, "model_name")

    def on_disk() -> list[dict[str, Any]]:
        rows = [row for row in context.runtime.catalog.all_rows if name in (None, row.name)]
        return [
            {"model_name": row.name, "model_version": row.name, "size": store.size(row, cache)}
            for row in rows
            if store.folder(row, cache) is not None
        ]

    return JSONResponse({"list": await asyncio.to_thread(on_disk)})


def _registered(row: Model) -> dict[str, Any]:
    return {
        "model_name": row.name,
        "is_builtin": True,
        "model_family": row.engine.partition(":")[0].rpartition(".")[2],
        "model_lang": row.languages,
        "model_ability": abilities(row),
        "multilingual": len(row.languages) > 1,
        "licence": row.licence,
        "size": row.size,
    }
