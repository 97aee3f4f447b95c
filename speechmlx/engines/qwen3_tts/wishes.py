"""A request's wishes, checked: voice, language, instructions, and how tokens are drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from speechmlx import languages
from speechmlx.engines.parts.options import Limits, number
from speechmlx.engines.qwen3_tts.shape import DrawDefaults, QwenTtsConfig
from speechmlx.errors import BadAudio, BadRequest, UnknownVoice, Unsupported
from speechmlx.names import listed, spelt
from speechmlx.types import Audio, NamedVoice, ReferenceVoice, Synthesis

SEED = 0
"""Where the client names no seed: the same text sounds the same each time."""
SHORTEST, LONGEST = 0.5, 60.0
"""Seconds of a recording whose voice is imitated."""
NATIVE: Mapping[str, str] = {"english": "ryan", "chinese": "vivian", "japanese": "ono_anna", "korean": "sohee"}
"""The default voice for a language, where the model has it."""
NUMBERS: Limits = {
    "temperature": (0, 2, False),
    "top_p": (0.01, 1, False),
    "repetition_penalty": (0.1, 10, False),
    "subtalker_temperature": (0, 2, False),
    "subtalker_top_p": (0.01, 1, False),
    "top_k": (0, 100_000, True),
    "subtalker_top_k": (0, 100_000, True),
    "max_tokens": (1, 32_768, True),
    "seed": (0, 2**63 - 1, True),
}
"""`top_k` 0 leaves nothing out; `max_tokens` counts frames of 80 ms."""
RECORDING = ("prompt_speech", "prompt_text")
INSTRUCT = "instruct"
"""The option that is meant for a model that follows instructions; the field of a request may be for any."""
OPTIONS = tuple(sorted((*NUMBERS, *RECORDING, INSTRUCT)))


@dataclass(frozen=True)
class Drawing:
    """How one request draws its tokens."""

    temperature: float
    top_k: int
    top_p: float
    penalty: float
    sub_temperature: float
    sub_top_k: int
    sub_top_p: float
    seed: int
    frames: int | None
    """At most, of the whole request; None: as many as the text needs."""


@dataclass(frozen=True)
class SpeechWishes:
    """What a request asks for."""

    voice: str | ReferenceVoice | None
    """One of the model's; a recording; None where the instructions describe it."""
    language: int | None
    """Its code; None: the text decides."""
    instructions: str
    drawing: Drawing


def read_wishes(request: Synthesis, config: QwenTtsConfig, defaults: DrawDefaults) -> SpeechWishes:
    """Check `request`. Raises UnknownVoice, Unsupported and BadRequest, each with what is allowed."""
    if request.speed != 1.0:
        raise Unsupported(f"Qwen3-TTS speaks at its own speed, so speed is 1, not {request.speed:g}")
    language = _language(request.language, config)
    voice = _voice(_asked_voice(request), config, language)
    drawing = read_drawing(request.options, defaults)
    code = None if language is None else config.languages[language]
    if language in (None, "chinese") and isinstance(voice, str) and (dialect := config.dialects.get(voice)):
        code = config.languages.get(dialect, code)
    return SpeechWishes(voice, code, _instructions(request, config), drawing)


def read_drawing(options: Mapping[str, Any], defaults: DrawDefaults) -> Drawing:
    """Raises Unsupported for an option that there is not, BadRequest for a value out of range."""
    for name in options:
        if name not in OPTIONS:
            raise Unsupported(f"Qwen3-TTS has no option {name!r:.60}; its options are {', '.join(OPTIONS)}")
    found: dict[str, Any] = {name: number(options, NUMBERS, name, 0) for name in NUMBERS if name in options}
    return Drawing(
        temperature=found.get("temperature", defaults.temperature),
        top_k=found.get("top_k", defaults.top_k),
        top_p=found.get("top_p", defaults.top_p),
        penalty=found.get("repetition_penalty", defaults.repetition_penalty),
        # What a client says of the first code holds for the others, unless it says something else of them.
        sub_temperature=found.get("subtalker_temperature", found.get("temperature", defaults.sub_temperature)),
        sub_top_k=found.get("subtalker_top_k", found.get("top_k", defaults.sub_top_k)),
        sub_top_p=found.get("subtalker_top_p", found.get("top_p", defaults.sub_top_p)),
        seed=found.get("seed", SEED),
        frames=found.get("max_tokens"),
    )


def _language(text: str | None, config: QwenTtsConfig) -> str | None:
    """The name of a language among the model's; None: the text decides."""
    asked = languages.asked(text)
    if asked is None:
        return None
    for name in (spelt(asked), languages.name(asked).lower(), languages.name(languages.code(asked)).lower()):
        if name in config.languages:
            return name
    raise Unsupported(f"language {asked!r:.60} is none of this model's: {', '.join(config.languages)}")


def _instructions(request: Synthesis, config: QwenTtsConfig) -> str:
    """What the model is told; "" where it follows none, unless the client means just that model to follow them."""
    option = request.options.get(INSTRUCT)
    if not isinstance(option, str | None):
        raise BadRequest(f"{INSTRUCT} must be a text, not {option!r:.60}")
    if not config.takes_instructions:
        if (option or "").strip():
            raise Unsupported(
                "this Qwen3-TTS follows no instructions; its CustomVoice model of 1.7 billion weights and "
                "VoiceDesign do"
            )
        return ""
    asked = (option or request.instructions or "").strip()
    if config.variant == "voice_design" and not asked:
        raise BadRequest(
            "this model designs a voice: say in `instructions` how it sounds, such as 'a calm old man with a low voice'"
        )
    return asked


def _asked_voice(request: Synthesis) -> NamedVoice | ReferenceVoice | None:
    """The voice of a request, or the recording in its options."""
    recording, text = (request.options.get(name) for name in RECORDING)
    if recording is None and text is None:
        return request.voice
    if not isinstance(recording, Audio) or not isinstance(text, str | None):
        raise BadRequest("prompt_speech must be a recording, and prompt_text goes with one")
    digest = hashlib.sha256(recording.samples.tobytes() + str(recording.rate).encode()).hexdigest()
    return ReferenceVoice(recording, text or "", digest)


def _voice(
    voice: NamedVoice | ReferenceVoice | None, config: QwenTtsConfig, language: str | None
) -> str | ReferenceVoice | None:
    if isinstance(voice, ReferenceVoice):
        return _recording(voice, config)
    if config.variant == "base":
        named = "" if voice is None else f", and has no voice {voice.name!r:.60}"
        raise (BadRequest if voice is None else UnknownVoice)(
            f"this model imitates the voice of a recording{named}: send one (`prompt_speech`), best with what is said "
            "in it (`prompt_text`)"
        )
    if config.variant == "voice_design":
        if voice is not None:
            raise UnknownVoice(f"this model has no voice {voice.name!r:.60}: `instructions` say how its voice sounds")
        return None
    if voice is None:
        return _default(config, language)
    if (name := spelt(voice.name)) not in config.voices:
        known = listed(name, config.voices, "GET /v1/audio/voices lists all")
        raise UnknownVoice(f"no voice {voice.name!r:.60}; the voices are {known}")
    return name


def _default(config: QwenTtsConfig, language: str | None) -> str:
    spoken = "chinese" if language and "dialect" in language else language or "english"
    wanted = NATIVE.get(spoken, "")
    if wanted in config.voices:
        return wanted
    if not config.voices:
        raise Unsupported("this model lists no voices")
    return next(iter(config.voices))


def _recording(voice: ReferenceVoice, config: QwenTtsConfig) -> ReferenceVoice:
    if config.variant != "base":
        does = (
            "its voices are " + ", ".join(config.voices) if config.voices else "`instructions` say how its voice sounds"
        )
        raise Unsupported(f"this model cannot imitate the voice of a recording, a Base model can; {does}")
    if not SHORTEST <= voice.audio.duration <= LONGEST:
        raise BadAudio(
            f"the voice's recording has {voice.audio.duration:.1f} s; {SHORTEST:g} to {LONGEST:g} s are heard"
        )
    return voice
