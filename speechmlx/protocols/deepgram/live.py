"""Deepgram's live transcription, WS /v1/listen: the client's messages → commands, a session's events → messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from speechmlx.audio.sniff import sniff
from speechmlx.conversation import commands, events
from speechmlx.conversation.settings import Settings, Transcription, TurnTaking
from speechmlx.errors import BadAudio, BadRequest, SpeechError
from speechmlx.protocols.deepgram.channel_results import ChannelResults, Message, turn_silence
from speechmlx.protocols.deepgram.control import ControlMessage, closing, read_control
from speechmlx.protocols.deepgram.heard import PREFIX
from speechmlx.protocols.deepgram.listen_options import ListenOptions, keywords
from speechmlx.protocols.deepgram.results import ListenRequest, metadata
from speechmlx.protocols.session_keeper import WirePoint
from speechmlx.protocols.ws import Answer, Close, ResumePoint
from speechmlx.types import SpeakerOptions

IDLE = 10.0
"""Seconds without a message of the client after which the socket is closed."""
IDLE_REASON = (
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
)
SCHEMA_ERROR = "SchemaError"
"""`variant` of the error for a message that is not understood."""
PROGRESS = 0.1
"""Seconds of audio between two looks at how much silence there was."""
RAW_OPUS = "encoding=opus needs a container (Ogg or WebM); Opus packets without one are not supported"


def live_settings(options: ListenOptions, model: str) -> Settings:
    """The settings of a session for `options`, whose recogniser is `model`."""
    return Settings(
        transcribes_only=True,
        input=options.format,
        progress=PROGRESS,
        turns=TurnTaking(prefix=PREFIX, silence=turn_silence(options.endpointing)),
        transcription=Transcription(
            model=model,
            language=options.language,
            languages=options.languages,
            keywords=options.keywords,
            speakers=SpeakerOptions() if options.diarize else None,
            words=True,
        ),
    )


class ListenWire:
    """One connection. It may have several channels, whose events come as OnChannel."""

    def __init__(self, options: ListenOptions, request: ListenRequest, settings: Settings) -> None:
        self._options = options
        self._request = request
        self._settings = settings
        self.count = options.format.channels if options.multichannel else 1
        """Channels that are transcribed one by one."""
        self._channels = [ChannelResults(options, request, (number, self.count)) for number in range(self.count)]
        self._opened = False
        self._finishing = False
        """Whether the client has ended the stream."""
        self._any_audio = False
        self._fault: Close | None = None
        """How the socket is closed, where the end of the stream is not audio."""
        self._active = True
        """Whether the client sent something since the last tick."""
        self._active_at = 0.0
        """Time of the last tick after which the client had sent something."""

    def receive(self, message: str | bytes) -> Sequence[commands.Command]:
        """The commands in a message of the client."""
        self._active = True
        if self._finishing:
            return []
        try:
            control = read_control(message)
            if control is not None:
                return self._control(control)
        except BadRequest as error:
            original = message if isinstance(message, str) else message.decode(errors="replace")
            return [_emit(error, SCHEMA_ERROR, original)]
        assert isinstance(message, bytes)
        if not message:
            return self._finish()
        begins, self._any_audio = not self._any_audio, True
        if begins and self._options.encoding == "opus" and sniff(message) is None:
            return [_emit(BadAudio(RAW_OPUS), BadAudio.code)]
        return [commands.Append(audio=message)]

    def send(self, event: events.Event) -> Sequence[Answer]:
        """What the client gets for an event."""
        number, event = (event.channel, event.event) if isinstance(event, events.OnChannel) else (0, event)
        channel = self._channels[number]
        match event:
            case events.Configured():
                return self._with_opening([] if event.note is None else [self._configured(event.note)])
            case events.Failed(error=error):
                return self._failed(error, event)
        messages = channel.take(event)
        if isinstance(event, events.TranscriptFailed):
            messages.append(_error(event.error.code, str(event.error)))
        return self._with_opening(messages)

    def tick(self, now: float, held: bool = False) -> Sequence[Answer]:
        """What the client gets because of the time: the end, when it sends nothing."""
        if self._active or self._finishing or held:
            self._active, self._active_at = False, now
        elif now - self._active_at >= IDLE:
            return [*self._abandoned(), Close(1011, IDLE_REASON)]
        return self._with_opening([])

    def end(self) -> Sequence[Answer]:
        """The rest of the audio, the summary and the end."""
        messages = [message for channel in self._channels for message in channel.finish()]
        messages.append(self._metadata(self._channels[0].duration))
        return [*self._with_opening(messages), self._fault or Close(1000)]

    def resume(self, point: ResumePoint) -> str:
        """The first message to a client that has come back, for whom the time of IDLE begins anew."""
        self._active = True
        return json.dumps({**self._metadata(self._channels[0].duration), "resumed": point.fields})

    # --- for other servers ---

    @property
    def told(self) -> int:
        """Final words so far."""
        return sum(channel.count for channel in self._channels)

    @property
    def settings(self) -> Settings:
        """Those of the session."""
        return self._settings

    def point(self, settled: float) -> WirePoint | None:
        """Where it is; None with several channels, which are at different places."""
        if self.count > 1 or not self._opened:
            return None
        (channel,) = self._channels
        at = channel.told_until(settled)
        transcription = self._settings.transcription
        keyterms = list(transcription.keywords) if transcription is not None else []
        return WirePoint(at, {"channel": channel.state(at), "keyterms": keyterms})

    def restore(self, state: Message, at: float, sent: int) -> None:
        """Go on where another wire was."""
        self._opened = self._any_audio = True
        self._channels[0].restore(state["channel"], at)
        self._use_keyterms(tuple(state["keyterms"]))

    # --- messages of the client ---

    def _control(self, control: ControlMessage) -> Sequence[commands.Command]:
        match control.type:
            case "KeepAlive":
                return []
            case "Finalize":
                return self._finalize(control.fields.get("channel"))
            case "CloseStream":
                return self._finish()
            case "Configure":
                return self._configure(control.fields.get("keyterms"))
        raise BadRequest(
            f"the message type {control.type!r:.80} is unknown; allowed: KeepAlive, Finalize, CloseStream, Configure"
        )

    def _finalize(self, channel: Any) -> Sequence[commands.Command]:
        if isinstance(channel, list):
            channel = channel[0] if channel else None
        if channel is not None and (type(channel) is not int or not 0 <= channel < self.count):
            raise BadRequest(f"'channel' must be a number from 0 to {self.count - 1}, not {channel!r:.80}")
        flush = commands.Flush()
        return [flush if channel is None or self.count == 1 else commands.ToChannel(channel=channel, command=flush)]

    def _finish(self) -> Sequence[commands.Command]:
        self._finishing = True
        return [commands.Finish()]

    def _configure(self, keyterms: Any) -> Sequence[commands.Command]:
        if keyterms is not None and not (
            isinstance(keyterms, list) and all(isinstance(keyterm, str) for keyterm in keyterms)
        ):
            raise BadRequest("'keyterms' must be a list of strings")
        answer: Message = {"type": "ConfigureSuccess", "request_id": self._request.id}
        if keyterms is not None:
            try:
                found = keywords(keyterms)
            except BadRequest as error:
                return [_emit(error, "CONFIGURE_KEYTERM_LIMIT_EXCEEDED")]
            self._use_keyterms(found)
            answer["keyterms"] = list(found)
        return [commands.Configure(settings=self._settings, note=answer)]

    def _use_keyterms(self, keyterms: tuple[str, ...]) -> None:
        assert self._settings.transcription is not None
        transcription = replace(self._settings.transcription, keywords=keyterms)
        self._settings = replace(self._settings, transcription=transcription)

    # --- answers ---

    def _failed(self, error: SpeechError, event: events.Failed) -> Sequence[Answer]:
        if isinstance(error, BadAudio):
            close = closing(1008, f"DATA-0000: {error}")
            if self._finishing:
                self._fault = close
                return []
            return [*self._abandoned(), close]
        if event.code.startswith("CONFIGURE_"):
            failure = {"type": "ConfigureFailure", "request_id": self._request.id}
            return self._with_opening([failure | {"code": event.code, "description": str(error)}])
        return self._with_opening([_error(event.code, str(error), event.ref or "")])

    def _abandoned(self) -> list[str]:
        return self._with_opening([message for channel in self._channels for message in channel.abandon()])

    def _configured(self, note: object) -> Message:
        assert isinstance(note, dict)
        return note

    def _metadata(self, duration: float) -> Message:
        return {"type": "Metadata", **metadata(self._request, duration, self._options.format.channels)}

    def _with_opening(self, messages: list[Message]) -> list[str]:
        """The messages as text; before the first of all stands Metadata."""
        if not self._opened:
            self._opened = True
            messages = [self._metadata(0.0), *messages]
        return [json.dumps(message) for message in messages]


def _emit(error: SpeechError, code: str, original: str | None = None) -> commands.Command:
    """The error comes in order with what was said before it."""
    return commands.Emit(event=events.Failed(error, code, ref=original))


def _error(variant: str, description: str, original: str = "") -> Message:
    return {"type": "Error", "variant": variant, "description": description, "message": original}
