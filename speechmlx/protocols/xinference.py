"""What Xinference's client asks beside OpenAI's audio API: launching and ending models, and what there is to launch.

A launch loads a model and pins it under a uid; ending it takes the model out of memory. Models need no launch here:
any name of the catalog can be used at once.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from speechmlx.config import Config
from speechmlx.errors import BadRequest, Busy, SpeechError, UnknownModel, Unsupported
from speechmlx.models import store
from speechmlx.models.spec import Model
from speechmlx.names import listed
from speechmlx.protocols.http import options
from speechmlx.protocols.http.model_names import Launch, Names
from speechmlx.protocols.http.openai_errors import problem
from speechmlx.protocols.http.routing import Call, Endpoint
from speechmlx.runtime.front.runtime import ModelStatus, Runtime
from speechmlx.types import Kind, Load, Priority, Unload

LANG_CODES = {"a": "en", "b": "en-gb", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt", "z": "zh"}
"""Kokoro's letters, as `lang_code` of a launch; names and codes of languages do too."""
REFUSED = ("model_path", "peft_model_config")
"""Settings of a launch that would change what the model is: weights are those of the catalog."""
TYPES = {"audio": (Kind.ASR, Kind.TTS), "LLM": (Kind.LLM,)}
PATIENCE = 2.0
"""Seconds that ending a model waits for its jobs."""
MOST_FAILED = 100
"""Failed launches that are remembered."""
SHARES = {"fetching": (0.0, 0.8), "loading": (0.8, 0.95)}
"""Part of a launch's progress that each state covers."""


def routes(config: Config) -> list[BaseRoute]:
    """The routes. They go before those of any `/v1/models/{name}` that takes slashes."""
    limit = config.max_text_bytes
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
    return [Route(path, Endpoint(answer, problem, limit), methods=[method]) for method, path, answer in table]


# --- The cluster -------------------------------------------------------------------------------------------------


async def auth(call: Call) -> Response:
    """Whether Xinference's client must log in: it need not"""
    return JSONResponse({"auth": False})


async def token(call: Call) -> Response:
    """A login, for clients that log in unasked; any token is taken"""
    return JSONResponse({"access_token": "none-needed", "token_type": "bearer"})


async def address(call: Call) -> Response:
    """Where the server is"""
    return JSONResponse(call.request.url.netloc)


# --- Launching and ending ----------------------------------------------------------------------------------------


async def launch(call: Call) -> Response:
    """Load a model and keep it in memory under a uid (JSON: model_name, model_uid, lang_code; wait_ready)"""
    given, names = call.body.options, _names(call)
    wait = options.flag({"wait_ready": True, **given}, "wait_ready")
    row = _row(call.runtime, given)
    uid = options.text(given, "model_uid") or options.text(given, "model_name") or row.name
    _check_uid(names, uid, row)
    known, language = names.launched.get(uid), _language(given)
    if known is not None and known.language != language:
        raise BadRequest(f"{uid!r} is launched with the language {known.language}; end it first or choose another uid")
    if known is None:
        names.failed.pop(uid, None)
        known = Launch(uid, row.name, language, asyncio.create_task(_load(call.runtime, row)))
        names.launched[uid] = known
        assert known.loading is not None
        known.loading.add_done_callback(lambda task: _launched(names, uid, task))
    if wait and known.loading is not None:
        await asyncio.wait({known.loading})
        if known.loading.cancelled():
            raise BadRequest("the launch was given up")
        known.loading.result()
    return JSONResponse({"model_uid": uid})


async def terminate(call: Call) -> Response:
    """Take a launched model out of memory"""
    names, uid = _names(call), call.request.path_params["uid"]
    ended = names.launched.get(uid)
    row = names.stands_for(uid)
    others = [other.uid for other in names.launched.values() if other.model == row.name and other is not ended]
    if ended is None and row.name not in {model.name for model in call.runtime.status().models}:
        running = listed(uid, _running(names), "GET /v1/models/instances lists what was launched")
        raise UnknownModel(f"the model {uid!r} is not running; running: {running}")
    if ended is None and others:
        raise BadRequest(f"{uid!r} runs as {', '.join(others)}: end it under each of those uids")
    given_up = ended is not None and _give_up(ended)
    names.launched.pop(uid, None)  # now: whatever happens to the client or the engine, it is no launch any more
    try:
        if not others:
            await _unload(call.runtime, row)
    except Busy:
        if ended is not None and not given_up:
            names.launched.setdefault(uid, ended)  # it runs on, and can be ended later
        raise
    return JSONResponse(None)


async def cancel(call: Call) -> Response:
    """Give up a launch that is under way"""
    names, uid = _names(call), call.request.path_params["uid"]
    found = names.launched.get(uid)
    if found is None or not _give_up(found):
        raise BadRequest(f"no launch of {uid!r} is under way")
    names.launched.pop(uid, None)
    return JSONResponse(None)


async def progress(call: Call) -> Response:
    """How far a launch is, from 0 to 1"""
    names, uid = _names(call), call.request.path_params["uid"]
    if (error := names.failed.get(uid)) is not None:
        raise error
    row = names.stands_for(uid)
    states = {model.name: model for model in call.runtime.status().models}
    return JSONResponse({"progress": _share(states.get(row.name))})


async def instances(call: Call) -> Response:
    """Launched models, optionally of one name or uid"""
    names, given = _names(call), call.body.options
    wanted = {options.text(given, "model_uid"), options.text(given, "model_name")} - {None}
    found = [
        {"model_uid": one.uid, "model_name": one.model, "status": "CREATING" if _under_way(one) else "READY"}
        for one in names.launched.values()
        if not wanted or wanted & {one.uid, one.model}
    ]
    return JSONResponse(found)


def _names(call: Call) -> Names:
    names: Names = call.request.app.state.names
    return names


def _row(runtime: Runtime, given: Any) -> Model:
    """What to launch. Raises BadRequest for settings that cannot be followed, UnknownModel."""
    name = options.text(given, "model_name")
    if name is None:
        raise BadRequest("missing 'model_name': what to launch; GET /v1/models lists the models")
    for setting in REFUSED:
        if given.get(setting):
            raise Unsupported(f"{setting!r} cannot be set: the weights of a model are those the catalog names")
    for setting in ("replica", "n_worker"):
        options.integer(given, setting, 1, 1, 1)
    kind = Kind.LLM if options.text(given, "model_type") == "LLM" and name not in runtime.catalog.names() else None
    return runtime.model(name, kind)


def _check_uid(names: Names, uid: str, row: Model) -> None:
    """Raises BadRequest for a uid that already means another model."""
    try:
        meant = names.stands_for(uid)
    except UnknownModel:
        return
    if meant.name != row.name:
        raise BadRequest(f"the uid {uid!r} already means the model {meant.name!r}; choose another")


def _language(given: Any) -> str | None:
    code = options.text(given, "lang_code")
    return None if code is None else LANG_CODES.get(code.strip().lower()) or options.dialect({"language": code})


async def _load(runtime: Runtime, row: Model) -> None:
    await runtime.submit(Load(model=row.name, pin=True, priority=Priority.INTERACTIVE)).finished()


def _launched(names: Names, uid: str, task: asyncio.Task[None]) -> None:
    """The end of a launch: one that failed is none."""
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
    """Unload, once the jobs that end within PATIENCE have. Raises Busy for those that do not."""
    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            await runtime.submit(Unload(model=row.name)).finished()
            return
        except Busy:
            if asyncio.get_running_loop().time() > end:
                raise
            await asyncio.sleep(0.05)


def _running(names: Names) -> list[str]:
    return [*names.launched, *(model.name for model in names.runtime.status().models)]


def _give_up(launch: Launch) -> bool:
    """Stop loading; whether it was under way."""
    return launch.loading is not None and launch.loading.cancel()


def _under_way(launch: Launch) -> bool:
    return launch.loading is not None and not launch.loading.done()


def _share(state: ModelStatus | None) -> float:
    """0 for a cold model, 1 for a loaded one."""
    if state is None or state.state == "loaded":
        return 0.0 if state is None else 1.0
    low, high = SHARES[state.state]
    done = state.progress.done / state.progress.total if state.progress and state.progress.total else 0.0
    return round(low + (high - low) * min(1.0, done), 3)


# --- What there is to launch -------------------------------------------------------------------------------------


async def registrations(call: Call) -> Response:
    """Models of a type that can be launched (type: audio or LLM)"""
    kinds = TYPES.get(call.request.path_params["type"], ())
    detailed = options.flag(call.body.options, "detailed")
    rows = [row for row in call.runtime.catalog.offered() if row.kind in kinds]
    found = [_registered(row) if detailed else {"model_name": row.name, "is_builtin": True} for row in rows]
    return JSONResponse(found)


async def registration(call: Call) -> Response:
    """One model that can be launched"""
    type, name = call.request.path_params["type"], call.request.path_params["name"]
    row = call.runtime.model(name, None)
    if row.kind not in TYPES.get(type, ()):
        raise UnknownModel(f"{name!r} is a {row.kind} model, which is not of the type {type!r}; types: audio, LLM")
    return JSONResponse(_registered(row))


async def register(call: Call) -> Response:
    """Refused: models are rows of the catalog"""
    raise Unsupported("models cannot be registered over HTTP: a model is a row of the server's catalog")


async def unregister(call: Call) -> Response:
    """Refused: models are rows of the catalog"""
    raise Unsupported("models cannot be unregistered over HTTP: a model is a row of the server's catalog")


async def cached(call: Call) -> Response:
    """Models whose weights are on this machine"""
    cache = store.cache_folder(call.runtime.config)
    wanted = options.text(call.body.options, "model_name")

    def whole() -> list[dict[str, Any]]:
        rows = [row for row in call.runtime.catalog.rows if wanted in (None, row.name)]
        return [
            {"model_name": row.name, "model_version": row.name, "size": store.size(row, cache)}
            for row in rows
            if store.folder(row, cache) is not None
        ]

    return JSONResponse({"list": await asyncio.to_thread(whole)})


def _registered(row: Model) -> dict[str, Any]:
    return {
        "model_name": row.name,
        "is_builtin": True,
        "model_family": row.engine.partition(":")[0].rpartition(".")[2],
        "model_lang": row.languages,
        "model_ability": {Kind.ASR: ["audio2text"], Kind.TTS: ["text2audio"]}.get(row.kind, ["generate", "chat"]),
        "multilingual": len(row.languages) > 1,
        "licence": row.licence,
        "size": row.size,
    }
