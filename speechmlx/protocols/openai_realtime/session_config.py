"""A session in JSON: GA's shape, which is kept, beta's flat one, and the neutral settings that follow from it."""

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
"""Where beta's fields stand in GA's shape."""
TRANSCRIBERS = re.compile(r"whisper-1|gpt-[\w.-]*(transcribe|whisper)[\w.-]*")
"""Models of OpenAI that do nothing but transcribe."""
WITHOUT_TURNS = re.compile(r"gpt-(realtime-whisper|live-transcribe)[\w.-]*")
"""Those of them that look for no turns: their clients commit."""
PCM = {"type": "audio/pcm", "rate": 24000}
ANY_MODEL = "local"


def fresh_session(id: str, model: str, expires_at: int, transcribes: bool) -> Json:
    """A session as it is before the client says anything."""
    heard: Json = {
        "format": dict(PCM),
        "transcription": None,
        "noise_reduction": None,
        "turn_detection": dict(VAD_DEFAULTS["server_vad"]),
    }
    if transcribes:
        heard["transcription"] = {"model": model} if model else {}
        if WITHOUT_TURNS.fullmatch(model):
            heard["turn_detection"] = None
        return {
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": id,
            "audio": {"input": heard},
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
        "audio": {"input": heard, "output": {"format": dict(PCM), "voice": "alloy", "speed": 1.0}},
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
    """A session (or response) with beta's fields in GA's shape, where one that stands in its place already counts.

    What has no other place there stays where it is.
    """
    shaped: Json = {name: deepcopy(value) for name, value in flat.items() if name not in FLAT}
    for name in FLAT.keys() & flat.keys():
        *path, last = FLAT[name]
        place = shaped
        for step in path:
            place = of(dict)(place.setdefault(step, {}), f"{prefix}.{step}")
        place.setdefault(last, deepcopy(flat[name]))
    return shaped


def merged_flat(session: Json, flat: Mapping[str, Any], prefix: str = "session") -> Json:
    """`session` with what an update in either shape changes; what is wrong is told by the names that it has.

    Where a session that transcribes gets a model without turns, none are looked for unless the update says how.
    """
    try:
        shaped = from_flat(flat, prefix)
        new = merged(session, shaped, prefix)
        heard, given = new["audio"]["input"], (shaped.get("audio") or {}).get("input") or {}
        chosen = (given.get("transcription") or {}).get("model") or ""
        if new["type"] == "transcription" and "turn_detection" not in given and WITHOUT_TURNS.fullmatch(chosen):
            heard["turn_detection"] = None
        return new
    except Refused as error:
        message, param = str(error), error.param or ""
        for name, path in FLAT.items():
            if name in flat:
                message, param = (
                    text.replace(".".join((prefix, *path)), f"{prefix}.{name}") for text in (message, param)
                )
        raise Refused(message, error.code, param or None) from None


def to_flat(session: Mapping[str, Any]) -> Json:
    """A session as beta clients read it."""
    heard = session["audio"]["input"]
    flat: Json = {
        "id": session["id"],
        "object": session["object"],
        "input_audio_format": beta_format(heard["format"]),
        "input_audio_transcription": heard["transcription"],
        "input_audio_noise_reduction": heard["noise_reduction"],
        "turn_detection": heard["turn_detection"],
        "expires_at": session["expires_at"],
    }
    if session["type"] == "transcription":
        secret = {"value": f"ek_{session['id']}", "expires_at": session["expires_at"]}
        return {**flat, "modalities": ["text"], "client_secret": secret}
    spoken = session["audio"]["output"]
    return {
        **flat,
        "model": session["model"],
        "modalities": beta_modalities(session),
        "instructions": session["instructions"],
        "voice": spoken["voice"],
        "speed": spoken["speed"],
        "output_audio_format": beta_format(spoken["format"]),
        "tools": session["tools"],
        "tool_choice": session["tool_choice"],
        "temperature": temperature(session),
        "max_response_output_tokens": session["max_output_tokens"],
        "tracing": session["tracing"],
    }


def beta_format(format: Mapping[str, Any]) -> str:
    return next(word for word, kind in BETA_FORMATS.items() if kind == format["type"])


def beta_modalities(session: Mapping[str, Any]) -> list[str]:
    return ["audio", "text"] if session["output_modalities"] == ["audio"] else ["text"]


def temperature(session: Mapping[str, Any]) -> float:
    """What beta clients are told; one that nobody set is not used."""
    given = session.get("temperature")
    return BETA_TEMPERATURE if given is None else float(given)


def settings(session: Mapping[str, Any]) -> Settings:
    """What the session means."""
    heard = session["audio"]["input"]
    transcribes = session["type"] == "transcription"
    return Settings(
        transcribes_only=transcribes,
        input=_format(heard["format"]),
        clean=heard["noise_reduction"] is not None,
        turns=_turns(heard["turn_detection"]),
        transcription=_transcription(heard["transcription"], session["include"] or ()),
        answering=Answering() if transcribes else answering(session),
        model=None if transcribes else session["model"],
    )


def answering(session: Mapping[str, Any]) -> Answering:
    """How a session, or a session changed for one response, answers."""
    spoken = session["audio"]["output"]
    limit = session["max_output_tokens"]
    choice = session["tool_choice"]
    return Answering(
        instructions=session["instructions"],
        spoken=session["output_modalities"] == ["audio"],
        voice=VoiceSettings(name=spoken["voice"], speed=spoken["speed"], format=_format(spoken["format"])),
        max_tokens=None if limit == "inf" else limit,
        temperature=session.get("temperature"),
        tools=tuple(session["tools"]),
        tool_choice={"name": choice["name"]} if isinstance(choice, dict) else choice,
        forgets=session["truncation"] != "disabled",
    )


def _format(format: Mapping[str, Any]) -> AudioFormat:
    encoding = CODECS[format["type"]]
    return AudioFormat("pcm16", format["rate"]) if encoding == "pcm16" else AudioFormat(encoding, 8000)  # type: ignore[arg-type]


def _turns(detection: Mapping[str, Any] | None) -> TurnTaking | None:
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


def _transcription(given: Mapping[str, Any] | None, include: Sequence[str]) -> Transcription | None:
    if given is None:
        return None
    return Transcription(
        model=given.get("model"),
        language=languages.code(given.get("language")),
        languages=tuple(filter(None, map(languages.code, given.get("languages") or ()))),
        prompt=given.get("prompt"),
        keywords=tuple(given.get("keywords") or ()),
        logprobs=LOGPROBS in include,
    )
