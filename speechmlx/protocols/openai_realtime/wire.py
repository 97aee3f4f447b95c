"""The wire of one connection: converts a client's messages to commands and a session's events to messages. No I/O.

There are two dialects, GA and beta. A connection is beta by its handshake, or from its first flat session.update on.
A client that sends the flat shape without a beta handshake is a client of an older small server, without turn
detection. Turn detection is off for it until it sets `turn_detection`.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation import commands, events
from speechmlx.conversation.items.item import Item, new_id
from speechmlx.conversation.settings import ResponseRequest, Settings
from speechmlx.errors import BadRequest, EngineFailed, UnknownVoice
from speechmlx.models.spec import Model
from speechmlx.protocols.openai_realtime import server_events, session_config
from speechmlx.protocols.openai_realtime.items import decode_base64, read_item
from speechmlx.protocols.openai_realtime.kept_conversation import KeptConversation, shortened
from speechmlx.protocols.openai_realtime.schema import Dialect, Json, Refused, finite, of, one_of, required
from speechmlx.protocols.openai_realtime.session_config import merged_flat
from speechmlx.protocols.session_keeper import WirePoint
from speechmlx.protocols.ws import Answer, ResumePoint

log = logging.getLogger(__name__)

MAX_AUDIO = 15 * 1024 * 1024
"""Longest audio in one append, in characters of base64."""
MAX_MESSAGE = 24 * 1024 * 1024
"""Longest message in characters. A longer one is not parsed."""
MAX_TEXT = 1024 * 1024
"""Longest message without audio, and longest text of an item, in characters."""
MAX_VALUES = 100_000
"""Values in one message, about: more take a second to parse, and many times their length in memory."""
WITH_AUDIO = ("input_audio_buffer.append", "conversation.item.create", "response.create")
"""Messages that may hold audio."""
MAX_DEPTH = 64
"""Deepest nesting of arrays and objects in a message."""
FLAT_ONLY = frozenset(session_config.FLAT) - {"tools"} | {"temperature"}
"""Fields of a session.update that only the flat shape has."""
EVENT_ID = re.compile(r'"event_id": "(\w+)"')
EVENT_HEAD = 160
"""Characters of a message that hold its type and its event id."""
NAMING = (
    events.SpeechStarted,
    events.IdleTimedOut,
    events.Committed,
    events.TranscriptDone,
    events.TranscriptFailed,
)
"""Events after which the client knows a turn by its id, or its words."""
METADATA_PAIRS, METADATA_KEY, METADATA_VALUE = 16, 64, 512
"""Limits of a response's metadata: pairs, characters of a key and characters of a value."""


class RealtimeWire:
    """`model`: as the client names it. `expires_at`: in Unix seconds. `session`: made earlier with a client secret."""

    def __init__(
        self, dialect: Dialect, model: str, transcribes: bool, expires_at: int, session: Json | None = None
    ) -> None:
        self.dialect: Dialect = dialect
        self.conversation = new_id("conv")
        self.session = session or session_config.fresh_session(new_id("sess"), model, expires_at, transcribes)
        self.speaker: Model | None = None
        """The model whose voices the client may choose. None: any voice name is accepted."""
        self.told = 0
        """Turns and transcripts that were named so far, and what was told for good of a conversation."""
        self.kept: KeptConversation | None = None
        """What another server needs of the conversation. None: no other goes on with it."""
        self._knows_turns = dialect == "beta"
        """False until a beta handshake, or an update of the session in the flat shape or with a `type`."""

    @property
    def settings(self) -> Settings:
        """The Settings of the session."""
        return session_config.settings(self.session)

    @property
    def transcribes(self) -> bool:
        """Whether this is a transcription session."""
        return bool(self.session["type"] == "transcription")

    def greeting(self) -> Sequence[str]:
        """The first messages to the client."""
        more = (
            [] if self.dialect == "ga" or self.transcribes else [server_events.conversation_created(self.conversation)]
        )
        return self._dump([self._created(), *more])

    def resume(self, point: ResumePoint) -> str:
        """The first message to a client that has come back."""
        return self._dump([{**self._created(), "resumed": point.fields}])[0]

    # --- for other servers ---

    def point(self, settled: float) -> WirePoint | None:
        """Where the session is. None: a conversation that nobody keeps."""
        if not self.transcribes and self.kept is None:
            return None
        state = {"session": self.session, "conversation": self.conversation, "told": self.told}
        state |= {"dialect": self.dialect, "knows_turns": self._knows_turns}
        if self.kept is None:
            return WirePoint(settled, {**state, "kept": None})
        return WirePoint(settled, {**state, "kept": self.kept.state()}, once=True, shorten=shortened)

    def restore(self, state: Json, at: float, sent: int) -> None:
        """Go on where another wire was."""
        self.session, self.conversation, self.told = state["session"], state["conversation"], state["told"]
        self.dialect, self._knows_turns = state["dialect"], state["knows_turns"]
        self.kept = None if state["kept"] is None else KeptConversation.of(state["kept"])

    def _created(self) -> Json:
        if self.dialect == "ga":
            return {"type": "session.created", "session": self.session}
        kind = "transcription_session.created" if self.transcribes else "session.created"
        return {"type": kind, "session": session_config.to_flat(self.session)}

    def receive(self, message: str | bytes) -> Sequence[commands.Command]:
        """The commands of a message. A message that breaks the protocol becomes a command that emits its error."""
        ref = None
        try:
            fields = _read_object(message)
            ref = fields.get("event_id")
            if ref is not None and not isinstance(ref, str):
                ref = None
                raise Refused("Invalid type for 'event_id': expected a string.", param="event_id")
            return self._commands(fields, ref, len(message))
        except Refused as error:
            failed = events.Failed(BadRequest(str(error)), error.code, error.param, ref)
            return [commands.Emit(event=failed, ref=ref)]
        except Exception:
            log.exception("reading a message failed")
            broken = EngineFailed("the server failed on this message; its log has more")
            return [commands.Emit(event=events.Failed(broken, broken.code, ref=ref), ref=ref)]

    def send(self, event: events.Event) -> Sequence[str]:
        """The messages of an event."""
        if isinstance(event, events.Configured):
            assert isinstance(event.note, Mapping)
            return self._dump([{**event.note}])
        is_kept = self.kept is not None and self.kept.take(event)
        if is_kept or isinstance(event, NAMING):
            self.told += 1
        return self._dump(server_events.messages(event, self.dialect, self.conversation))

    def tick(self, now: float, held: bool = False) -> Sequence[str]:
        """No messages: the wire has no timers. The server does not enforce `expires_at`."""
        return ()

    def end(self) -> Sequence[str]:
        """Nothing: a conversation is ended by the client."""
        return ()

    def _dump(self, messages: list[Json]) -> list[str]:
        """The messages as text, each with a new event id."""
        return [
            json.dumps({"type": message["type"], "event_id": new_id("event"), **message}, ensure_ascii=False)
            for message in messages
        ]

    # --- messages in ---

    def _commands(self, fields: Json, ref: str | None, length: int) -> list[commands.Command]:
        """The commands of a parsed message of `length` characters. `ref`: its event id. Raises Refused."""
        kind = required(fields, "type", str)
        if length > MAX_TEXT and kind not in WITH_AUDIO:
            raise Refused(f"The message is longer than {MAX_TEXT} characters, and has no audio.")
        match kind:
            case "input_audio_buffer.append":
                text = required(fields, "audio", str)
                if len(text) > MAX_AUDIO:
                    raise Refused(f"'audio' is longer than {MAX_AUDIO // 1024 // 1024} MiB; send it in pieces.")
                return [commands.Append(audio=decode_base64(text, "audio"), ref=ref)]
            case "input_audio_buffer.commit":
                return [commands.Commit(ref=ref)]
            case "input_audio_buffer.clear":
                return [commands.Clear(ref=ref)]
            case "conversation.item.create":
                return [self._add(fields, ref)]
            case "conversation.item.retrieve":
                return [commands.RetrieveItem(id=required(fields, "item_id", str), ref=ref)]
            case "conversation.item.delete":
                return [commands.DeleteItem(id=required(fields, "item_id", str), ref=ref)]
            case "conversation.item.truncate":
                return [self._truncate(fields, ref)]
            case "response.create":
                return [self._create(fields, ref)]
            case "response.cancel":
                response = fields.get("response_id")
                response = None if response is None else of(str)(response, "response_id")
                return [commands.Cancel(response=response, ref=ref)]
            case "session.update":
                return self._update(required(fields, "session", dict), ref)
            case "transcription_session.update":
                return self._update_transcription(required(fields, "session", dict), ref)
            case "output_audio_buffer.clear":
                return []  # there is no such buffer on a WebSocket
        raise Refused(f"Unknown event type: {kind:.80}", "unknown_event", "type")

    def _add(self, fields: Json, ref: str | None) -> commands.Command:
        after = fields.get("previous_item_id")
        after = None if after is None else of(str)(after, "previous_item_id")
        item = _bounded(read_item(required(fields, "item", dict), self.settings.input))
        return commands.AddItem(item=item, after=after, ref=ref)

    def _truncate(self, fields: Json, ref: str | None) -> commands.Command:
        item = required(fields, "item_id", str)
        part = required(fields, "content_index", int)
        end = finite(fields.get("audio_end_ms"), "audio_end_ms")  # the session clamps it: clients round up
        return commands.TruncateItem(id=item, seconds=end / 1000, part=part, ref=ref)

    def _update(self, update: Json, ref: str | None) -> list[commands.Command]:
        """Update the session from either shape. The shape sets the dialect. Raises Refused."""
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

    def _update_transcription(self, update: Json, ref: str | None) -> list[commands.Command]:
        """Update a transcription session in the beta dialect. Raises Refused."""
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
        """A copy of the session changed by `update` in either shape. Raises Refused, also for an unknown voice."""
        session = merged_flat(self.session, update, prefix)
        name = session["audio"].get("output", {}).get("voice")
        if name == self.session["audio"].get("output", {}).get("voice") or self.speaker is None:
            return session
        voices = self.speaker.voices
        try:
            voices.resolve(name)
        except UnknownVoice:
            known = (*voices.known, *voices.aliases, *voices.meant)
            near = get_close_matches(name, known, 5, 0.4) or list(voices.aliases)[:5]
            param = f"{prefix}.voice" if "voice" in update else f"{prefix}.audio.output.voice"
            raise Refused(
                f"Invalid value: {name!r:.80}. Some of the supported values for '{param}' are: {', '.join(near)}; "
                "GET /v1/audio/voices lists all.",
                param=param,
            ) from None
        return session

    def _configure(self, session: Json, kind: str, ref: str | None) -> list[commands.Command]:
        """Replace the session. `kind`: the type of the message that confirms it."""
        self.session = session
        reply = session if self.dialect == "ga" else session_config.to_flat(session)
        return [commands.Configure(settings=self.settings, note={"type": kind, "session": reply}, ref=ref)]

    def _create(self, fields: Json, ref: str | None) -> commands.Command:
        """The command of a response.create. Raises Refused.

        A beta client may send it without a commit: the buffered audio is then committed first.
        """
        options = fields.get("response")
        options = {} if options is None else of(dict)(options, "response")
        if self.transcribes:
            return commands.CreateResponse(plan=ResponseRequest(answering=self.settings.answering), ref=ref)
        answering = session_config.answering(self._changed(options, "response"))
        out_of_band = one_of("auto", "none")(options.get("conversation") or "auto", "response.conversation") == "none"
        items = options.get("input")
        commits = self.dialect == "beta" and items is None and not options.get("instructions") and not out_of_band
        plan = ResponseRequest(
            answering=answering,
            input=None if items is None else tuple(_inputs(of(list)(items, "response.input"), self.settings.input)),
            out_of_band=out_of_band,
            metadata=_metadata(options.get("metadata")),
        )
        return commands.CreateResponse(plan=plan, commits=commits, ref=ref)


def event_id(message: Answer) -> str | None:
    """The event id of a message of the server, which is among its first fields."""
    found = EVENT_ID.search(message[:EVENT_HEAD]) if isinstance(message, str) else None
    return None if found is None else found[1]


def _read_object(message: str | bytes) -> Json:
    """Parse a message. Raises Refused if it is too long, too deep or not a JSON object."""
    if isinstance(message, bytes):
        raise Refused("Binary messages mean nothing here: send JSON as text, audio in base64.", "invalid_json")
    if len(message) > MAX_MESSAGE:
        raise Refused(f"The message is longer than {MAX_MESSAGE // 1024 // 1024} MiB; send it in pieces.")
    if len(message) > MAX_VALUES and sum(map(message.count, ",[{")) > MAX_VALUES:
        raise Refused(f"The message has more than {MAX_VALUES} values.")
    try:
        fields = json.loads(message, parse_constant=_refuse_constant)
        if "\\ud" in message or "\\uD" in message:
            json.dumps(fields, ensure_ascii=False).encode()  # raises on an unpaired surrogate
    except (ValueError, RecursionError) as error:
        raise Refused(f"The message is not JSON: {error}.", "invalid_json") from None
    if not isinstance(fields, dict):
        raise Refused("The message is not a JSON object.", "invalid_json")
    level: list[Any] = [fields]
    for _ in range(MAX_DEPTH):
        inner = (node.values() if isinstance(node, dict) else node for node in level)
        level = [value for values in inner for value in values if isinstance(value, dict | list)]
    if level:
        raise Refused(f"The message has more than {MAX_DEPTH} arrays and objects inside each other.")
    return fields


def _refuse_constant(name: str) -> float:
    """Refuse NaN and Infinity, which are not JSON."""
    raise ValueError(f"{name} is no number")


def _bounded(item: Item, param: str = "item") -> Item:
    """The item, if its text is not too long. Raises Refused."""
    if len(item.text) + len(item.arguments) + len(item.output) > MAX_TEXT:
        raise Refused(f"'{param}' has more than {MAX_TEXT} characters of text.", param=param)
    return item


def _inputs(items: Sequence[Any], format: AudioFormat) -> list[Any]:
    """The input of a response: items, whose audio is in `format`, and ids of items referred to. Raises Refused."""
    inputs: list[Any] = []
    for place, item in enumerate(items):
        param = f"response.input[{place}]"
        if of(dict)(item, param).get("type") == "item_reference":
            inputs.append(required(item, "id", str, f"{param}."))
        else:
            inputs.append(_bounded(read_item(item, format, param), param))
    return inputs


def _metadata(value: Any) -> Mapping[str, str]:
    """The metadata of a response; {} if `value` is None. Raises Refused."""
    if value is None:
        return {}
    pairs = of(dict)(value, "response.metadata")
    if len(pairs) > METADATA_PAIRS:
        raise Refused(f"'response.metadata' has more than {METADATA_PAIRS} pairs.", param="response.metadata")
    for key, text in pairs.items():
        of(str)(text, f"response.metadata.{key}")
        if len(key) > METADATA_KEY or len(text) > METADATA_VALUE:
            raise Refused(
                f"Keys of 'response.metadata' have at most {METADATA_KEY} characters, values {METADATA_VALUE}.",
                param=f"response.metadata.{key}",
            )
    return {**pairs}
