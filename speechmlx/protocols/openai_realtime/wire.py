"""The wire of one connection: a client's messages → commands, a session's events → messages. No I/O.

Two dialects: a connection is beta by its handshake, or from the first flat session.update on. A client that takes the
flat shape without ever saying beta is one of the small servers' clients that came before: they find no turns for it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation import commands as do
from speechmlx.conversation import events as say
from speechmlx.conversation.items.item import new_id
from speechmlx.conversation.settings import ResponseRequest, Settings
from speechmlx.errors import BadRequest, EngineFailed, UnknownVoice
from speechmlx.models.spec import Model
from speechmlx.protocols.openai_realtime import server_events, session_config
from speechmlx.protocols.openai_realtime.items import decoded, read
from speechmlx.protocols.openai_realtime.schema import Dialect, Json, Refused, finite, of, one_of, required
from speechmlx.protocols.openai_realtime.session_config import merged_flat

log = logging.getLogger(__name__)

MAX_AUDIO = 15 * 1024 * 1024
"""Characters of base64 in one append."""
MAX_MESSAGE = 24 * 1024 * 1024
"""Characters of any message: more is not even parsed."""
MAX_DEPTH = 64
"""Arrays and objects inside each other."""
FLAT_ONLY = frozenset(session_config.FLAT) - {"tools"} | {"temperature"}
METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 16, 64, 512


class RealtimeWire:
    """`model` as the client named it; `expires_at` in Unix seconds; `session`: one that was made before."""

    def __init__(
        self, dialect: Dialect, model: str, transcribes: bool, expires_at: int, session: Json | None = None
    ) -> None:
        self.dialect: Dialect = dialect
        self.conversation = new_id("conv")
        self.session = session or session_config.fresh_session(new_id("sess"), model, expires_at, transcribes)
        self.speaker: Model | None = None
        """The model whose voices the client may choose; None: any name is taken."""
        self._knows_turns = dialect == "beta"
        """Whether the client has said beta, or what only clients say that know of turns."""

    @property
    def settings(self) -> Settings:
        return session_config.settings(self.session)

    @property
    def transcribes(self) -> bool:
        return bool(self.session["type"] == "transcription")

    def greeting(self) -> Sequence[str]:
        """What the client is told first."""
        if self.dialect == "ga":
            return self._sent([{"type": "session.created", "session": self.session}])
        if self.transcribes:
            return self._sent(
                [{"type": "transcription_session.created", "session": session_config.to_flat(self.session)}]
            )
        created = {"type": "session.created", "session": session_config.to_flat(self.session)}
        return self._sent([created, server_events.conversation_created(self.conversation)])

    def receive(self, message: str | bytes) -> Sequence[do.Command]:
        """The commands in a message; a message that breaks the protocol becomes its own error."""
        ref = None
        try:
            given = _object(message)
            ref = given.get("event_id")
            if ref is not None and not isinstance(ref, str):
                ref = None
                raise Refused("Invalid type for 'event_id': expected a string.", param="event_id")
            return self._commands(given, ref)
        except Refused as error:
            failed = say.Failed(BadRequest(str(error)), error.code, error.param, ref)
            return [do.Emit(event=failed, ref=ref)]
        except Exception:
            log.exception("reading a message failed")
            broken = EngineFailed("the server failed on this message; its log has more")
            return [do.Emit(event=say.Failed(broken, broken.code, ref=ref), ref=ref)]

    def send(self, event: say.Event) -> Sequence[str]:
        """The messages of an event."""
        if isinstance(event, say.Configured):
            assert isinstance(event.note, Mapping)
            return self._sent([{**event.note}])
        return self._sent(server_events.messages(event, self.dialect, self.conversation))

    def tick(self, now: float) -> Sequence[str]:
        """Nothing here depends on the time: a session expires only in words."""
        return ()

    def _sent(self, messages: list[Json]) -> list[str]:
        return [
            json.dumps({"type": message["type"], "event_id": new_id("event"), **message}, ensure_ascii=False)
            for message in messages
        ]

    # --- messages in ---

    def _commands(self, given: Json, ref: str | None) -> list[do.Command]:
        kind = required(given, "type", str)
        match kind:
            case "input_audio_buffer.append":
                text = required(given, "audio", str)
                if len(text) > MAX_AUDIO:
                    raise Refused(f"'audio' is longer than {MAX_AUDIO // 1024 // 1024} MiB; send it in pieces.")
                return [do.Append(audio=decoded(text, "audio"), ref=ref)]
            case "input_audio_buffer.commit":
                return [do.Commit(ref=ref)]
            case "input_audio_buffer.clear":
                return [do.Clear(ref=ref)]
            case "conversation.item.create":
                after = given.get("previous_item_id")
                after = None if after is None else of(str)(after, "previous_item_id")
                return [do.AddItem(item=read(required(given, "item", dict), self.settings.input), after=after, ref=ref)]
            case "conversation.item.retrieve":
                return [do.RetrieveItem(id=required(given, "item_id", str), ref=ref)]
            case "conversation.item.delete":
                return [do.DeleteItem(id=required(given, "item_id", str), ref=ref)]
            case "conversation.item.truncate":
                return [self._truncate(given, ref)]
            case "response.create":
                return [self._create(given, ref)]
            case "response.cancel":
                response = given.get("response_id")
                response = None if response is None else of(str)(response, "response_id")
                return [do.Cancel(response=response, ref=ref)]
            case "session.update":
                return self._update(required(given, "session", dict), ref)
            case "transcription_session.update":
                return self._update_transcription(required(given, "session", dict), ref)
            case "output_audio_buffer.clear":
                return []  # there is no such buffer on a WebSocket
        raise Refused(f"Unknown event type: {kind:.80}", "unknown_event", "type")

    def _truncate(self, given: Json, ref: str | None) -> do.Command:
        item = required(given, "item_id", str)
        part = required(given, "content_index", int)
        end = finite(given.get("audio_end_ms"), "audio_end_ms")  # out of range is clamped: clients round up
        return do.TruncateItem(id=item, seconds=end / 1000, part=part, ref=ref)

    def _update(self, update: Json, ref: str | None) -> list[do.Command]:
        kind = update.get("type")
        if kind is not None:
            one_of("realtime", "transcription")(kind, "session.type")
            if kind != self.session["type"]:
                raise Refused(
                    f"This is a {self.session['type']} session; it cannot be updated as a {kind} session.",
                    "invalid_session_type",
                    "session.type",
                )
        flat = kind is None and (self.dialect == "beta" or bool(FLAT_ONLY & update.keys()))
        session = self._changed(update, "session")
        if flat and not self._knows_turns and "turn_detection" not in update:
            session["audio"]["input"]["turn_detection"] = None
        if flat or kind is not None:
            self._knows_turns = True
            self.dialect = "beta" if flat else "ga"
        return self._configure(session, "session.updated", ref)

    def _update_transcription(self, update: Json, ref: str | None) -> list[do.Command]:
        if not self.transcribes:
            raise Refused(
                "This is a realtime session: connect with ?intent=transcription for a transcription session.",
                "invalid_session_type",
                "type",
            )
        session = self._changed(update, "session")
        self.dialect, self._knows_turns = "beta", True
        return self._configure(session, "transcription_session.updated", ref)

    def _changed(self, update: Json, prefix: str) -> Json:
        """The session as `update` has it, in either shape; its voice is one that there is."""
        session = merged_flat(self.session, update, prefix)
        name = session["audio"].get("output", {}).get("voice")
        if name == self.session["audio"].get("output", {}).get("voice") or self.speaker is None:
            return session
        voices = self.speaker.voices
        try:
            voices.resolve(name)
        except UnknownVoice:
            near = get_close_matches(name, (*voices.names, *voices.aliases), 5, 0.4) or list(voices.aliases)[:5]
            param = f"{prefix}.voice" if "voice" in update else f"{prefix}.audio.output.voice"
            raise Refused(
                f"Invalid value: {name!r:.80}. Some of the supported values for '{param}' are: {', '.join(near)}; "
                "GET /v1/audio/voices lists all.",
                param=param,
            ) from None
        return session

    def _configure(self, session: Json, told: str, ref: str | None) -> list[do.Command]:
        self.session = session
        shown = session if self.dialect == "ga" else session_config.to_flat(session)
        return [do.Configure(settings=self.settings, note={"type": told, "session": shown}, ref=ref)]

    def _create(self, given: Json, ref: str | None) -> do.Command:
        how = given.get("response")
        how = {} if how is None else of(dict)(how, "response")
        if self.transcribes:
            return do.CreateResponse(plan=ResponseRequest(answering=self.settings.answering), ref=ref)
        answering = session_config.answering(self._changed(how, "response"))
        out_of_band = one_of("auto", "none")(how.get("conversation") or "auto", "response.conversation") == "none"
        items = how.get("input")
        commits = self.dialect == "beta" and items is None and not how.get("instructions") and not out_of_band
        plan = ResponseRequest(
            answering=answering,
            input=None if items is None else tuple(_inputs(of(list)(items, "response.input"), self.settings.input)),
            out_of_band=out_of_band,
            metadata=_metadata(how.get("metadata")),
        )
        return do.CreateResponse(plan=plan, commits=commits, ref=ref)


def _object(message: str | bytes) -> Json:
    if isinstance(message, bytes):
        raise Refused("Binary messages mean nothing here: send JSON as text, audio in base64.", "invalid_json")
    if len(message) > MAX_MESSAGE:
        raise Refused(f"The message is longer than {MAX_MESSAGE // 1024 // 1024} MiB; send it in pieces.")
    try:
        given = json.loads(message, parse_constant=_no_number)
        if "\\ud" in message or "\\uD" in message:
            json.dumps(given, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise Refused(f"The message is not JSON: {error}.", "invalid_json") from None
    if not isinstance(given, dict):
        raise Refused("The message is not a JSON object.", "invalid_json")
    level: list[Any] = [given]
    for _ in range(MAX_DEPTH):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
    if level:
        raise Refused(f"The message has more than {MAX_DEPTH} arrays and objects inside each other.")
    return given


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _inputs(items: Sequence[Any], format: AudioFormat) -> list[Any]:
    """Items, their audio in `format`, or the ids of those referred to."""
    found = []
    for place, item in enumerate(items):
        param = f"response.input[{place}]"
        if of(dict)(item, param).get("type") == "item_reference":
            found.append(required(item, "id", str, f"{param}."))
        else:
            found.append(read(item, format, param))
    return found


def _metadata(given: Any) -> Mapping[str, str]:
    if given is None:
        return {}
    pairs = of(dict)(given, "response.metadata")
    if len(pairs) > METADATA_PAIRS:
        raise Refused(f"'response.metadata' has more than {METADATA_PAIRS} pairs.", param="response.metadata")
    for key, value in pairs.items():
        of(str)(value, f"response.metadata.{key}")
        if len(key) > METADATA_KEY or len(value) > METADATA_VALUE:
            raise Refused(
                f"Keys of 'response.metadata' have at most {METADATA_KEY} characters, values {METADATA_VALUE}.",
                param=f"response.metadata.{key}",
            )
    return {**pairs}
