"""One WhisperLive connection: its first message, its place among the sessions, then the session."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from functools import partial
from io import BytesIO

from starlette.websockets import WebSocket, WebSocketDisconnect

from speechmlx import languages
from speechmlx.conversation.engines import has_default
from speechmlx.conversation.items.item import new_id
from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.conversation.settings import Settings, Transcription
from speechmlx.conversation.translation import can_translate
from speechmlx.errors import BadRequest, Draining, SpeechError, UnknownModel, Unsupported
from speechmlx.log import note_error
from speechmlx.models.abilities import check_translation
from speechmlx.models.spec import Model
from speechmlx.protocols import live_sessions, ws
from speechmlx.protocols.http.access_keys import key_subprotocol
from speechmlx.protocols.http.base64_audio import decode_base64
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_socket import LiveConnection, transcribe_live
from speechmlx.protocols.session_keeper import Handover
from speechmlx.protocols.whisperlive.options import ClientOptions, read_options, read_uid
from speechmlx.protocols.whisperlive.series import NAME, WhisperLiveSeries
from speechmlx.protocols.whisperlive.wire import HANDED_OVER, MAX_CONNECTION, PROGRESS, WhisperLiveWire
from speechmlx.types import Kind, KnownSpeaker, Load, Priority, SpeakerOptions

FIRST = "first_message"
"""Key of the options in what another server needs."""
FIRST_MESSAGE = 30.0
"""Seconds that a client has for its first message."""
POLICY, FAILED = 1008, 1011
"""Close codes where the first message is wrong, and where the server cannot do what it asks for."""


async def answer(socket: WebSocket, services: Services, series: WhisperLiveSeries, starts: set[float]) -> None:
    """Accept a connection and transcribe it. `starts`: when the open ones began, on a monotonic clock."""
    chosen, id = key_subprotocol(socket.scope), new_id("sess")
    if live_sessions.asks(socket):
        await socket.accept(chosen)
        revived = partial(_revive, socket, services, series, starts)
        await services.live.resume(socket, partial(refuse_unknown, socket), revive=revived)
        return
    await socket.accept(chosen, [live_sessions.header(id)])
    uid: str | int | None = None
    try:
        first = await _first_message(socket, services)
        uid, fields = read_uid(first)
        options = read_options(fields)
        settings, warnings = await _settings(options, services)
        await _load(settings, services)
    except WebSocketDisconnect:
        return
    except SpeechError as error:
        note_error(error.code)
        series.rejected[error.code,] += 1
        series.errors[error.code,] += 1
        message = json.dumps({"uid": uid, "status": "ERROR", "message": str(error)}, ensure_ascii=False)
        await ws.send(socket, [message, ws.Close(POLICY if isinstance(error, BadRequest) else FAILED, error.code)])
        return

    async def refuse(error: SpeechError) -> None:
        series.rejected["full",] += 1
        wait = {"uid": uid, "status": "WAIT", "message": minutes_to_wait(starts, time.monotonic())}
        await ws.send(socket, [json.dumps(wait), ws.Close()])

    place = _StartPlace(starts)
    wire = WhisperLiveWire(options, series, warnings, place.begin)
    opening = {FIRST: first} if isinstance(first, str) and len(first) <= HANDED_OVER else None
    connection = LiveConnection(socket=socket, id=id, name=NAME, received=1, on_end=place.end, opening=opening)
    await transcribe_live(connection, wire, settings, services, refuse)


async def _revive(
    socket: WebSocket, services: Services, series: WhisperLiveSeries, starts: set[float], handover: Handover
) -> None:
    """Go on where another server was. Raises SpeechErrors."""
    point = handover.point
    _, fields = read_uid(point.opening[FIRST])
    options = read_options(fields)
    settings, _ = await _settings(options, services)
    await _load(settings, services)
    place = _StartPlace(starts)
    wire = WhisperLiveWire(options, series, (), place.begin)
    wire.restore(point.state, point.at, handover.sent)
    id = socket.query_params[live_sessions.ID]
    connection = LiveConnection(socket=socket, id=id, name=NAME, on_end=place.end, handover=handover)
    await transcribe_live(connection, wire, settings, services, partial(refuse_unknown, socket))


class _StartPlace:
    """When one connection began, among those that are open."""

    def __init__(self, starts: set[float]) -> None:
        self._starts = starts
        self._mine: list[float] = []

    def begin(self, now: float) -> None:
        self._mine.append(now)
        self._starts.add(now)

    def end(self) -> None:
        self._starts.difference_update(self._mine)


async def refuse_unknown(socket: WebSocket, error: SpeechError) -> None:
    """Tell a client that there is no session to go on with."""
    message = json.dumps({"status": "ERROR", "message": str(error)}, ensure_ascii=False)
    await ws.send(socket, [message, ws.Close(POLICY, error.code)])


async def _load(settings: Settings, services: Services) -> None:
    """Bring the models into memory: clients wait for words only 15 s once the server is ready. Raises SpeechErrors."""
    runtime = services.runtime
    assert settings.transcription is not None
    names = (settings.transcription.model or "", runtime.model(None, Kind.VAD).name)
    loading = [runtime.submit(Load(model=name, priority=Priority.INTERACTIVE)) for name in names]
    for job in loading:
        await job.finished()


def minutes_to_wait(starts: set[float], now: float) -> float:
    """Minutes until the oldest connection must end; those of other wires have no limit."""
    return max(0.0, min(starts, default=now) + MAX_CONNECTION - now) / 60


async def _first_message(socket: WebSocket, services: Services) -> str | bytes:
    """Raises BadRequest where none comes in time, Draining and WebSocketDisconnect."""
    receiving = asyncio.create_task(socket.receive())
    stopping = asyncio.create_task(services.runtime.drained.wait())
    try:
        done, _ = await asyncio.wait({receiving, stopping}, timeout=FIRST_MESSAGE, return_when=asyncio.FIRST_COMPLETED)
    finally:
        receiving.cancel()
        stopping.cancel()
    if receiving not in done:
        if done:
            raise Draining("the server is shutting down")
        raise BadRequest(f"no options came within {FIRST_MESSAGE:g} s; the first message is JSON with a uid")
    message = receiving.result()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text = message.get("text")
    found: str | bytes = message["bytes"] if text is None else text
    if len(found) > services.config.max_audio_bytes:
        raise BadRequest(f"the first message is over the limit of {services.config.max_audio_bytes} bytes")
    return found


async def _settings(options: ClientOptions, services: Services) -> tuple[Settings, list[str]]:
    """The settings of the session, and what of the options cannot be done. Raises BadRequests."""
    runtime, warnings = services.runtime, list[str]()
    model, language = _model(options, services, warnings)
    transcription = Transcription(
        model=model.name,
        language=options.language or language,
        task=options.task,
        prompt=options.prompt,
        keywords=options.hotwords,
        speakers=await _speakers(options, services, warnings),
        words=True,
    )
    target = options.target_language
    if target and not can_translate(runtime, remote_language_model(services.config), transcription, target):
        warnings.append(
            f"no translation into {languages.name(target).title()}: no language model is configured (--llm-url)"
        )
        target = None
    settings = Settings(
        transcribes_only=True,
        input=options.format,
        turns=options.turns,
        transcription=transcription,
        translate_to=target,
        progress=PROGRESS,
    )
    return settings, warnings


def _model(options: ClientOptions, services: Services, warnings: list[str]) -> tuple[Model, str | None]:
    """The model that the client names, else that of live recognition; and the language that it was launched with.

    Raises LicenceNotAccepted, and Unsupported for a language or a task that the model does not have.
    """
    try:
        model, language = services.names.usable(options.model, Kind.ASR, live=True)
    except UnknownModel as error:
        model, language = services.names.resolve(None, Kind.ASR, live=True)
        warnings.append(f"{error}; {model.name} is used instead")
    if options.language and languages.match(options.language, model.languages) is None:
        raise languages.refusal(options.language, model.languages, model.name)
    if options.task == "translate":
        check_translation(services.runtime.catalog, services.config, model)
    if options.task == "translate" and len(model.languages) == 1:
        raise Unsupported(f"{model.name} knows one language only and cannot translate; name a multilingual model")
    return model, language


async def _speakers(options: ClientOptions, services: Services, warnings: list[str]) -> SpeakerOptions | None:
    """How speakers are told apart; None where the client does not want that, or there is no model for it."""
    if options.max_speakers is None:
        return None
    runtime = services.runtime
    if not has_default(runtime, Kind.DIARIZE):
        warnings.append("speakers are not told apart: no diarization model is configured")
        return None
    rate = runtime.model(None, Kind.DIARIZE).rate
    known = []
    for place, voice in enumerate(options.known):
        name = f"known_speakers[{place}].audio_base64"
        try:
            file = BytesIO(b"".join(decode_base64(name, voice.recording)))
            async with AsyncExitStack() as stack:
                audio = await services.decoding.decode(file, rate, stack)
        except SpeechError as error:
            raise BadRequest(f"{name}: {error}") from error
        known.append(KnownSpeaker(voice.name, audio))
    return SpeakerOptions(tuple(known), options.max_speakers)
