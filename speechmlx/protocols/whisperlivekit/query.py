"""The query of /asr, and the settings of its session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from speechmlx import languages
from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.settings import Settings, Transcription
from speechmlx.models.spec import Model
from speechmlx.protocols.http import options
from speechmlx.types import SpeakerOptions

PCM = AudioFormat("pcm16", 16000)
"""Headerless audio of this protocol."""
PROGRESS = 0.1
"""Seconds of audio between two reports of how far the session is."""


@dataclass(frozen=True, kw_only=True)
class AsrQuery:
    """What a client of /asr asks for."""

    mode: str = "full"
    """As the client wrote it: the config message repeats it. Only "diff" sends differences."""
    language: str | None = None
    """ISO 639-1 code; None: the model detects it."""
    target_language: str | None = None
    """Code of the language to translate into; None: no translation."""
    diarization: bool = False
    centiseconds: bool = False
    """Times as H:MM:SS.cc, else H:MM:SS."""
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()

    @property
    def is_diff(self) -> bool:
        return self.mode == "diff"


def read_query(query: Mapping[str, str], model: Model) -> AsrQuery:
    """Read the parameters of a session that `model` transcribes. Raises BadRequest, and Unsupported for a language."""
    return AsrQuery(
        mode=query.get("mode") or "full",
        language=_language(query, model),
        target_language=_target(query),
        diarization=options.flag(query, "diarization"),
        centiseconds=options.choice(query, "time_precision", ("s", "cs")) == "cs",
        prompt=options.text(query, "prompt"),
        hotwords=tuple(options.several(query, "hotwords")),
    )


def _language(query: Mapping[str, str], model: Model) -> str | None:
    wanted = languages.asked(query.get("language"))
    if wanted is not None and languages.heard(wanted, model.languages) is None:
        raise languages.refusal(wanted, model.languages, model.name)
    return languages.code(wanted)


def _target(query: Mapping[str, str]) -> str | None:
    wanted = languages.asked(query.get("target_language"))
    if wanted is not None and languages.match(wanted, languages.NAMES) is None:
        raise languages.refusal(wanted, languages.NAMES, "target_language")
    return languages.code(wanted)


def session_settings(query: AsrQuery) -> Settings:
    """The settings of a session of PCM; the wire changes the format when a container comes."""
    return Settings(
        transcribes_only=True,
        input=PCM,
        progress=PROGRESS,
        translate_to=query.target_language,
        transcription=Transcription(
            language=query.language,
            prompt=query.prompt,
            keywords=query.hotwords,
            speakers=SpeakerOptions() if query.diarization else None,
            words=True,
        ),
    )
