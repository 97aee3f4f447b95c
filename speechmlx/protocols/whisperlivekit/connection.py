"""Handling of one WebSocket at /asr: the key, the parameters, the config message, then the session."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket

from speechmlx.conversation.engines import model_or_default
from speechmlx.conversation.items.item import new_id
from speechmlx.conversation.llm.remote import remote_language_model
from speechmlx.conversation.settings import Settings
from speechmlx.conversation.translation import can_translate
from speechmlx.errors import SpeechError, Unsupported
from speechmlx.log import note_error
from speechmlx.protocols import live_sessions, ws
from speechmlx.protocols.http.access_keys import REFUSED, key_subprotocol
from speechmlx.protocols.http.request_id import add_log_note
from speechmlx.protocols.http.services import Services
from speechmlx.protocols.live_socket import LiveConnection, transcribe_live
from speechmlx.protocols.session_keeper import Handover
from speechmlx.protocols.whisperlivekit import messages
from speechmlx.protocols.whisperlivekit.query import AsrQuery, read_query, session_settings
from speechmlx.protocols.whisperlivekit.wire import WhisperLiveKitWire
from speechmlx.types import Kind

NAME = "whisperlivekit"
"""Of the wire, in the metrics."""
WRONG_KEY = 4401
WRONG_PARAMETER = 4400
TRY_AGAIN_LATER = 1013


async def caption(socket: WebSocket, services: Services) -> None:
    """Refuse a WebSocket without a right key (4401, before it is accepted), or accept it and run its session.

    A wrong parameter and a full server are an error message and close codes 4400 and 1013.
    """
    if not services.keys.allows(socket.scope):
        add_log_note(socket.scope, "refused: no right API key")
        await socket.close(WRONG_KEY, REFUSED)
        return
    chosen = key_subprotocol(socket.scope)
    if live_sessions.asks(socket):
        await socket.accept(chosen)
        refused, revived = partial(refuse, socket, WRONG_PARAMETER), partial(_revive, socket, services)
        await services.live.resume(socket, refused, revive=revived)
        return
    id = new_id("sess")
    await socket.accept(chosen, [live_sessions.header(id)])
    try:
        query, settings = _read(socket.query_params, services)
    except SpeechError as error:
        await refuse(socket, WRONG_PARAMETER, error)
        return
    greeting = messages.config(query.mode)

    async def full(error: SpeechError) -> None:
        await ws.send(socket, [greeting])
        await refuse(socket, TRY_AGAIN_LATER, error)

    connection = LiveConnection(socket=socket, id=id, name=NAME, greeting=greeting, opening={})
    await transcribe_live(connection, WhisperLiveKitWire(settings, query), settings, services, full)


async def _revive(socket: WebSocket, services: Services, handover: Handover) -> None:
    """Go on where another server was. Raises SpeechErrors."""
    query, settings = _read(QueryParams(handover.point.query), services)
    wire = WhisperLiveKitWire(settings, query)
    wire.restore(handover.point.state, handover.point.at, handover.sent)
    connection = LiveConnection(
        socket=socket, id=socket.query_params[live_sessions.ID], name=NAME, handover=handover, opening={}
    )
    await transcribe_live(connection, wire, settings, services, partial(refuse, socket, TRY_AGAIN_LATER))


def _read(query: Mapping[str, str], services: Services) -> tuple[AsrQuery, Settings]:
    """The query of a session, and its settings. Raises SpeechErrors."""
    found = read_query(query, services.runtime.model(None, Kind.ASR, live=True))
    if found.diarization:
        model_or_default(services.runtime, None, Kind.DIARIZE)
    settings = session_settings(found)
    check_translation(settings, services)
    return found, settings


def check_translation(settings: Settings, services: Services) -> None:
    """Raises Unsupported where a translation is asked for and nothing can make it."""
    target, transcription = settings.translate_to, settings.transcription
    if target is None or transcription is None:
        return
    if not can_translate(services.runtime, remote_language_model(services.config), transcription, target):
        raise Unsupported(
            f"nothing here translates into {target!r}: configure a language model (--llm or --llm-url); a multilingual "
            "recogniser translates into 'en'"
        )


async def refuse(socket: WebSocket, code: int, error: SpeechError) -> None:
    """Send the error and close the socket with `code`."""
    note_error(error.code)
    await ws.send(socket, [messages.error(str(error)), ws.Close(code, error.code)])
