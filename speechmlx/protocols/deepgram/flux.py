"""Deepgram's Flux, WS /v2/listen: the client's messages → commands, a session's events → messages about turns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from speechmlx.audio.sniff import sniff
from speechmlx.conversation import commands, events
from speechmlx.conversation.settings import Settings, Transcription, TurnTaking
from speechmlx.errors import BadAudio, BadRequest, SpeechError
from speechmlx.protocols.deepgram.control import ControlMessage, closing, read_control
from speechmlx.protocols.deepgram.flux_options import FluxOptions, FluxThresholds, language_hints
from speechmlx.protocols.deepgram.flux_turns import SILENCE, FluxTurns, Message
from speechmlx.protocols.deepgram.heard import PREFIX
from speechmlx.protocols.deepgram.listen_options import keywords
from speechmlx.protocols.deepgram.live import IDLE_REASON, PROGRESS, RAW_OPUS
from speechmlx.protocols.deepgram.results import ListenRequest
from speechmlx.protocols.deepgram.words import WordSpelling
from speechmlx.protocols.session_keeper import WirePoint
from speechmlx.protocols.ws import Answer, Close, ResumePoint

IDLE = 60.0
"""Seconds without a message of the client after which the socket is closed."""
NOT_UNDERSTOOD = "UNPARSABLE_CLIENT_MESSAGE"
NO_CONFIGURATION = "CONFIGURE_INVALID"


def flux_settings(options: FluxOptions, model: str) -> Settings:
    """The settings of a session for `options`, whose recogniser is `model`."""
    return Settings(
        transcribes_only=True,
        input=options.format,
        progress=PROGRESS,
        turns=TurnTaking(prefix=PREFIX, silence=SILENCE),
        transcription=Transcription(
            model=model,
            language=options.language,
            languages=options.hints,
            keywords=options.keywords,
            words=True,
        ),
    )


class FluxWire:
    """One connection."""

    def __init__(self, options: FluxOptions, request: ListenRequest, settings: Settings) -> None:
        self._options = options
        self._request = request
        self._settings = settings
        spelling = WordSpelling(True, True, options.profanity_filter)
        self._turns = FluxTurns(options.thresholds, spelling, options.detects_language)
        self._turns.hints = options.hints
        self._sequence = 0
        self._finishing = False
        """Whether the client has ended the stream."""
        self._any_audio = False
        self._fault: Close | None = None
        """How the socket is closed, where the end of the stream is not audio."""
        self._active = self._sounds = True
        """Whether the client sent something, and whether it sent audio, since the last tick."""
        self._active_at = self._sounds_at = 0.0
        """Times of the last ticks after which it had."""

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
            return [_emit(error, NOT_UNDERSTOOD)]
        assert isinstance(message, bytes)
        if not message:
            return self._finish()
        self._sounds = True
        begins, self._any_audio = not self._any_audio, True
        if begins and self._options.encoding == "opus" and sniff(message) is None:
            return [_emit(BadAudio(RAW_OPUS), BadAudio.code)]
        return [commands.Append(audio=message)]

    def send(self, event: events.Event) -> Sequence[Answer]:
        """What the client gets for an event."""
        match event:
            case events.Configured(note=note):
                return self._numbered([self._configured(note)] if isinstance(note, FluxOptions) else [])
            case events.Failed(error=error):
                return self._failed(error, event.code)
            case events.TranscriptFailed(error=error):
                warning = _warning("TRANSCRIPTION_FAILED", str(error))
                return self._numbered([*self._turns.take(event), warning])
        return self._numbered(self._turns.take(event))

    def tick(self, now: float, held: bool = False) -> Sequence[Answer]:
        """What the client gets because of the time: the end of a turn whose audio stopped, and the end of all."""
        if self._active or self._finishing or held:
            self._active, self._active_at = False, now
        if self._sounds or self._finishing or held:
            self._sounds, self._sounds_at = False, now
        if now - self._active_at >= IDLE:
            return [*self._numbered(self._turns.end("timeout")), Close(1011, IDLE_REASON)]
        if now - self._sounds_at >= self._turns.thresholds.timeout and self._turns.settled:
            return self._numbered(self._turns.end("timeout"))
        return self._numbered([])

    def end(self) -> Sequence[Answer]:
        """The end of the turn under way, and of the connection."""
        return [*self._numbered(self._turns.end("manual")), self._fault or Close(1000)]

    def resume(self, point: ResumePoint) -> str:
        """The first message to a client that has come back. Its number is that of the last one that the client has."""
        self._active = self._sounds = True
        told = {"type": "Connected", "request_id": self._request.id, "sequence_id": max(0, point.sent - 1)}
        return json.dumps({**told, "resumed": point.fields})

    # --- for other servers ---

    @property
    def told(self) -> int:
        """Turns that are over."""
        return self._turns.index

    @property
    def settings(self) -> Settings:
        """Those of the session."""
        return self._settings

    def point(self, settled: float) -> WirePoint | None:
        """Where it is."""
        if not self._sequence:
            return None
        at, options = self._turns.told_until(settled), self._options
        configured = {
            "thresholds": asdict(options.thresholds),
            "keywords": list(options.keywords),
            "hints": list(options.hints),
        }
        return WirePoint(at, {"turns": self._turns.state(at), **configured})

    def restore(self, state: Message, at: float, sent: int) -> None:
        """Go on where another wire was."""
        self._sequence, self._any_audio = sent, True
        thresholds = FluxThresholds(**state["thresholds"])
        keyterms, hints = tuple(state["keywords"]), tuple(state["hints"])
        self._use(replace(self._options, thresholds=thresholds, keywords=keyterms, hints=hints))
        self._turns.thresholds, self._turns.hints = thresholds, hints
        self._turns.restore(state["turns"], at)

    # --- messages of the client ---

    def _control(self, control: ControlMessage) -> Sequence[commands.Command]:
        match control.type:
            case "CloseStream":
                return self._finish()
            case "ForceEndTurn":
                return [commands.Flush()]
            case "KeepAlive":
                return []
            case "Configure":
                return self._configure(control.fields)
        raise BadRequest(
            f"the message type {control.type!r:.80} is unknown; allowed: CloseStream, Configure, ForceEndTurn"
        )

    def _finish(self) -> Sequence[commands.Command]:
        self._finishing, self._turns.ends_by = True, "manual"
        return [commands.Finish()]

    def _configure(self, fields: dict[str, Any]) -> Sequence[commands.Command]:
        try:
            self._use(_changed(self._options, fields))
        except BadRequest as error:
            return [_emit(error, NO_CONFIGURATION)]
        return [commands.Configure(settings=self._settings, note=self._options)]

    def _use(self, options: FluxOptions) -> None:
        self._options = options
        assert self._settings.transcription is not None
        transcription = replace(self._settings.transcription, keywords=options.keywords, languages=options.hints)
        self._settings = replace(self._settings, transcription=transcription)

    # --- answers ---

    def _failed(self, error: SpeechError, code: str) -> Sequence[Answer]:
        if isinstance(error, BadAudio):
            close = closing(1008, f"DATA-0000: {error}")
            if self._finishing:
                self._fault = close
                return []
            fault: Message = {"type": "Error", "code": "DATA-0000", "description": str(error)}
            return [*self._numbered([*self._turns.end("timeout"), fault]), close]
        if code == NO_CONFIGURATION:
            return self._numbered([{"type": "ConfigureFailure", "code": code, "description": str(error)}])
        return self._numbered([_warning(code.upper(), str(error))])

    def _configured(self, options: FluxOptions) -> Message:
        """Use the thresholds and say what holds now."""
        thresholds = self._turns.thresholds = options.thresholds
        self._turns.hints = options.hints
        told: Message = {"eot_threshold": thresholds.eot_threshold, "eot_timeout_ms": thresholds.eot_timeout_ms}
        if thresholds.eager_eot_threshold is not None:
            told["eager_eot_threshold"] = thresholds.eager_eot_threshold
        answer: Message = {"type": "ConfigureSuccess", "thresholds": told, "keyterms": list(options.keywords)}
        return answer | ({"language_hints": list(options.hints)} if options.hints else {})

    def _numbered(self, messages: list[Message]) -> list[str]:
        """The messages as text, each with its number; the first of all is Connected."""
        if not self._sequence:
            messages = [{"type": "Connected"}, *messages]
        texts = []
        for message in messages:
            own = {"type": message.pop("type"), "request_id": self._request.id, "sequence_id": self._sequence}
            texts.append(json.dumps(own | message))
            self._sequence += 1
        return texts


def _changed(options: FluxOptions, fields: dict[str, Any]) -> FluxOptions:
    """The options after a Configure. Raises BadRequest."""
    thresholds, keyterms, hints = (fields.get(name) for name in ("thresholds", "keyterms", "language_hints"))
    if thresholds is not None and not isinstance(thresholds, dict):
        raise BadRequest("'thresholds' must be an object")
    for name, value in (("keyterms", keyterms), ("language_hints", hints)):
        if value is not None and not (isinstance(value, list) and all(isinstance(entry, str) for entry in value)):
            raise BadRequest(f"{name!r} must be a list of strings")
    if hints and not options.detects_language:
        raise BadRequest("'language_hints' needs a model that detects the language: flux-general-multi")
    return replace(
        options,
        thresholds=options.thresholds.changed(thresholds or {}),
        keywords=options.keywords if keyterms is None else keywords(keyterms),
        hints=options.hints if hints is None else language_hints(hints),
    )


def _emit(error: SpeechError, code: str) -> commands.Command:
    """The error comes in order with what was said before it."""
    return commands.Emit(event=events.Failed(error, code))


def _warning(code: str, description: str) -> Message:
    return {"type": "Warning", "code": code, "description": description}
