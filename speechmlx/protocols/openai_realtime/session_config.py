"""A session as JSON: stored in GA's shape, converted from and to beta's flat shape, and converted to Settings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from speechmlx import languages
from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.settings import Answering, Settings, Transcription, TurnTaking, VoiceSettings
from speechmlx.protocols.openai_realtime.schema import (
    BETA_FORMATS,
    BETA_TEMPERATURE,
    CODECS,
    LOGPROBS,
    VAD_DEFAULTS,
    Json,
    Refused,
    merged,
    of,
)
from speechmlx.types import Pronunciation

FLAT = {
    "modalities": ("output_modalities",),
    "max_response_output_tokens": ("max_output_tokens",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
}
"""Path in GA's shape of each of beta's fields. Fields that are not here have the same place in both shapes."""
TRANSCRIPTION_MODELS = re.compile(r"whisper-1|gpt-[\w.-]*(transcribe|whisper)[\w.-]*")
"""Names of OpenAI's models that only transcribe."""
WITHOUT_TURNS = re.compile(r"gpt-(realtime-whisper|live-transcribe)[\w.-]*")
"""Names of OpenAI's transcription models that detect no turns. Their clients commit the audio buffer."""
PCM = {"type": "audio/pcm", "rate": 24000}
ANY_MODEL = "local"
"""Name of the model in a session if the client names none."""


def fresh_session(id: str, model: str, expires_at: int, transcribes: bool) -> Json:
    """A session with the defaults. `model`: as the client names it, or "". `expires_at`: in Unix seconds."""
    audio_input: Json = {
        "format": dict(PCM),
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": dict(VAD_DEFAULTS["server_vad"]),
    }
    if transcribes:
        audio_input["transcription"] = {"model": model} if model else {}
        if WITHOUT_TURNS.fullmatch(model):
            audio_input["turn_detection"] = None
        return {
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": id,
            "audio": {"input": audio_input},
            "include": None,
            "expires_at": expires_at,
        }
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": id,
        "model": model or ANY_MODEL,
        "output_modalities": ["audio"],
        "instructions": "",
        "audio": {"input": audio_input, "output": {"format": dict(PCM), "voice": "alloy", "speed": 1.0}},
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
        "expires_at": expires_at,
    }


def from_flat(flat: Mapping[str, Any], prefix: str = "session") -> Json:
    """Convert a session or response from beta's shape to GA's. Raises Refused.

    A field that is already in GA's place takes precedence over the beta field. Other fields are kept as they are.
    """
    shaped: Json = {name: deepcopy(value) for name, value in flat.items() if name not in FLAT}
    for name in FLAT.keys() & flat.keys():
        *path, last = FLAT[name]
        parent = shaped
        for step in path:
            parent = of(dict)(parent.setdefault(step, {}), f"{prefix}.{step}")
        parent.setdefault(last, deepcopy(flat[name]))
    return shaped


def merged_flat(session: Json, update: Mapping[str, Any], prefix: str = "session") -> Json:
    """A copy of `session` changed by `update` in either shape. Raises Refused, with the field names of `update`.

    If a transcription session gets a model that detects no turns, turn detection is off unless `update` sets it.
    """
    try:
        shaped = from_flat(update, prefix)
        new = merged(session, shaped, prefix)
        changes = (shaped.get("audio") or {}).get("input") or {}
        model = (changes.get("transcription") or {}).get("model") or ""
        if new["type"] == "transcription" and "turn_detection" not in changes and WITHOUT_TURNS.fullmatch(model):
            new["audio"]["input"]["turn_detection"] = None
        return new
    except Refused as error:
        message, param = str(error), error.param or ""
        for name, path in FLAT.items():
            if name in update:
                message, param = (
                    text.replace(".".join((prefix, *path)), f"{prefix}.{name}") for text in (message, param)
                )
        raise Refused(message, error.code, param or None) from None


def to_flat(session: Mapping[str, Any]) -> Json:
    """Convert a session from GA's shape to beta's."""
    audio_input = session["audio"]["input"]
    flat: Json = {
        "id": session["id"],
        "object": session["object"],
        "input_audio_format": beta_format(audio_input["format"]),
        "input_audio_transcription": audio_input["transcription"],
        "input_audio_noise_reduction": audio_input["noise_reduction"],
        "turn_detection": audio_input["turn_detection"],
        "expires_at": session["expires_at"],
    }
    if session["type"] == "transcription":
        secret = {"value": f"ek_{session['id']}", "expires_at": session["expires_at"]}
        return {**flat, "modalities": ["text"], "client_secret": secret}
    audio_output = session["audio"]["output"]
    return {
        **flat,
        "model": session["model"],
        "modalities": beta_modalities(session),
        "instructions": session["instructions"],
        "voice": audio_output["voice"],
        "speed": audio_output["speed"],
        "output_audio_format": beta_format(audio_output["format"]),
        "tools": session["tools"],
        "tool_choice": session["tool_choice"],
        "temperature": temperature(session),
        "max_response_output_tokens": session["max_output_tokens"],
        "tracing": session["tracing"],
    }


def beta_format(format: Mapping[str, Any]) -> str:
    """Beta's name of GA's audio format."""
    return next(name for name, kind in BETA_FORMATS.items() if kind == format["type"])


def beta_modalities(session: Mapping[str, Any]) -> list[str]:
    """Beta's modalities: audio always comes with text."""
    return ["audio", "text"] if session["output_modalities"] == ["audio"] else ["text"]


def temperature(session: Mapping[str, Any]) -> float:
    """The temperature that beta clients are shown. If none is set, it is BETA_TEMPERATURE, which is not used."""
    value = session.get("temperature")
    return BETA_TEMPERATURE if value is None else float(value)


def settings(session: Mapping[str, Any]) -> Settings:
    """The Settings of a session."""
    audio_input = session["audio"]["input"]
    transcribes = session["type"] == "transcription"
    return Settings(
        transcribes_only=transcribes,
        input=_format(audio_input["format"]),
        clean=audio_input["noise_reduction"] is not None,
        turns=_turns(audio_input["turn_detection"]),
        transcription=_transcription(
            audio_input["transcription"],
            session["include"] or (),
            [entry.spelling for entry in _pronunciations(session)],
        ),
        answering=Answering() if transcribes else answering(session),
        model=None if transcribes else session["model"],
    )


def answering(session: Mapping[str, Any]) -> Answering:
    """The settings of an answer, from a session or from a session changed for one response."""
    audio_output = session["audio"]["output"]
    limit = session["max_output_tokens"]
    choice = session["tool_choice"]
    return Answering(
        instructions=session["instructions"],
        spoken=session["output_modalities"] == ["audio"],
        voice=VoiceSettings(
            name=audio_output["voice"],
            speed=audio_output["speed"],
            pronunciations=_pronunciations(session),
            format=_format(audio_output["format"]),
        ),
        max_tokens=None if limit == "inf" else limit,
        temperature=session.get("temperature"),
        tools=tuple(session["tools"]),
        tool_choice={"name": choice["name"]} if isinstance(choice, dict) else choice,
        forgets=session["truncation"] != "disabled",
    )


def _format(format: Mapping[str, Any]) -> AudioFormat:
    """The audio format: PCM16 at its rate, or G.711 at 8 kHz."""
    encoding = CODECS[format["type"]]
    return AudioFormat("pcm16", format["rate"]) if encoding == "pcm16" else AudioFormat(encoding, 8000)  # type: ignore[arg-type]


def _turns(detection: Mapping[str, Any] | None) -> TurnTaking | None:
    """The settings of turn detection, with milliseconds converted to seconds; None if it is off."""
    if detection is None:
        return None
    answers, interrupts = detection["create_response"], detection["interrupt_response"]
    if detection["type"] == "semantic_vad":
        eagerness = {"auto": "medium"}.get(detection["eagerness"], detection["eagerness"])
        return TurnTaking(eagerness=eagerness, answers=answers, interrupts=interrupts)
    idle = detection["idle_timeout_ms"]
    return TurnTaking(
        threshold=detection["threshold"],
        prefix=detection["prefix_padding_ms"] / 1000,
        silence=detection["silence_duration_ms"] / 1000,
        answers=answers,
        interrupts=interrupts,
        idle_timeout=None if idle is None else idle / 1000,
    )


def _pronunciations(session: Mapping[str, Any]) -> tuple[Pronunciation, ...]:
    """How words are said in answers."""
    if not session.get("pronunciations"):
        return ()
    from speechmlx.reading.entries import read_entries  # here: the server starts without what reading needs

    return read_entries(session["pronunciations"])


def _transcription(
    fields: Mapping[str, Any] | None, include: Sequence[str], names: Sequence[str]
) -> Transcription | None:
    """The settings of transcription; None if it is off. `names` may be said, too."""
    if fields is None:
        return None
    return Transcription(
        model=fields.get("model"),
        language=languages.code(fields.get("language")),
        languages=tuple(filter(None, map(languages.code, fields.get("languages") or ()))),
        prompt=fields.get("prompt"),
        keywords=tuple(dict.fromkeys([*(fields.get("keywords") or ()), *names])),
        whole=True,
        logprobs=LOGPROBS in include,
    )
