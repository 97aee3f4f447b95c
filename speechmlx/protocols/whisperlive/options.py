"""The first message of a WhisperLive client: its options, each checked. All but `uid` are optional."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from speechmlx import languages
from speechmlx.audio.live_format import AudioFormat
from speechmlx.conversation.settings import TurnTaking
from speechmlx.errors import BadRequest, SpeechError
from speechmlx.protocols.http import options
from speechmlx.protocols.http.lenient_json import read_json
from speechmlx.protocols.http.transcription_form import TASKS, Task

RATE = 16000
LONGEST_UID = 256
"""Characters."""
FORMATS: tuple[Literal["float32", "int16", "uint8"], ...] = ("float32", "int16", "uint8")
MAX_SEGMENTS = 1000
"""Segments that a client may want in each message."""
MAX_REPEATS = 10_000
MAX_SPEAKERS = 64
MAX_KNOWN = 16
LENIENT = 0.2
"""Probability from which a frame is speech where the client wants no speech detection."""
DEFAULT_TARGET = "fr"
"""Language of translations where the client wants them and names none."""
DEFAULT_SPEAKERS = 10
TURNS, FLOATS = TurnTaking(answers=False), AudioFormat("float32", RATE)


@dataclass(frozen=True)
class KnownVoice:
    """A person whom the client names: `recording` is base64 of an audio file with nobody else's voice."""

    name: str
    recording: str


@dataclass(frozen=True, kw_only=True)
class ClientOptions:
    """What a client asks for."""

    uid: str | int
    """Comes back in every message, or the client ignores it."""
    language: str | None = None
    """ISO 639-1 code; None: detected, and told."""
    task: Task = "transcribe"
    model: str | None = None
    turns: TurnTaking = TURNS
    last_segments: int = 10
    """Completed segments in each message, at most."""
    repeats: int = 10
    """Steps of PROGRESS seconds in which the open segment may stay the same before it is completed."""
    target_language: str | None = None
    """ISO 639-1 code of translations; None: the client wants none."""
    hotwords: tuple[str, ...] = ()
    prompt: str | None = None
    word_times: bool = False
    max_speakers: int | None = None
    """None: speakers are not told apart."""
    known: tuple[KnownVoice, ...] = ()
    format: AudioFormat = FLOATS


def read_uid(message: str | bytes) -> tuple[str | int | None, dict[str, Any]]:
    """The uid of a first message, None where it has none, and all its fields. Raises BadRequest."""
    try:
        fields = read_json(message)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the first message is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadRequest('the first message is not a JSON object like {"uid": "...", "language": "en"}')
    uid = fields.get("uid")
    return uid if isinstance(uid, str | int) and not isinstance(uid, bool) else None, fields


def read_options(fields: Mapping[str, Any]) -> ClientOptions:
    """The options in a first message. Unknown ones are ignored. Raises BadRequest, which names the option."""
    uid = fields.get("uid")
    if not isinstance(uid, str | int) or isinstance(uid, bool) or not 0 < len(str(uid)) <= LONGEST_UID:
        raise BadRequest(f"'uid' must be a string of 1 to {LONGEST_UID} characters, not {uid!r:.80}")
    for name in ("clip_audio",):  # checked alone: this server keeps no audio without speech in any case
        options.flag(fields, name)
    options.number(fields, "no_speech_thresh", 0.45, 0.0, 1.0)
    speakers = options.integer(fields, "max_speakers", DEFAULT_SPEAKERS, 1, MAX_SPEAKERS)
    known = _known_voices(fields)
    diarize = options.flag(fields, "enable_diarization") or bool(known)
    return ClientOptions(
        uid=uid,
        language=options.language(fields),
        task=options.choice(fields, "task", TASKS),
        model=options.text(fields, "model"),
        turns=_turns(fields),
        last_segments=options.integer(fields, "send_last_n_segments", 10, 1, MAX_SEGMENTS),
        repeats=options.integer(fields, "same_output_threshold", 10, 0, MAX_REPEATS),
        target_language=_target(fields),
        hotwords=_hotwords(fields),
        prompt=options.text(fields, "initial_prompt"),
        word_times=options.flag(fields, "word_timestamps"),
        max_speakers=max(speakers, len(known)) if diarize else None,
        known=known,
        format=_format(fields),
    )


def _turns(fields: Mapping[str, Any]) -> TurnTaking:
    """How speech is detected: `vad_parameters` have the names of faster-whisper."""
    uses_detection = options.flag(fields, "use_vad", True)
    given = options.value(fields, "vad_parameters")
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise BadRequest(f"'vad_parameters' must be an object like {{\"threshold\": 0.5}}, not {given!r:.80}")
    default = TurnTaking()
    name = "threshold" if "threshold" in given else "onset"  # as faster-whisper called it before
    try:
        threshold = options.number(given, name, default.threshold, 0.0, 1.0)
        silence = options.number(given, "min_silence_duration_ms", 1000 * default.silence, 100.0, 10_000.0)
        prefix = options.number(given, "speech_pad_ms", 1000 * default.prefix, 0.0, 2000.0)
    except SpeechError as error:
        raise BadRequest(f"'vad_parameters': {error}") from error
    if not uses_detection:
        threshold = min(threshold, LENIENT)
    return TurnTaking(threshold=threshold, silence=silence / 1000, prefix=prefix / 1000, answers=False)


def _target(fields: Mapping[str, Any]) -> str | None:
    if not options.flag(fields, "enable_translation"):
        return None
    name = options.text(fields, "target_language") or DEFAULT_TARGET
    target = languages.match(name, languages.NAMES)
    if target is None:
        raise BadRequest(f"'target_language' must be a language code like en, fr or bg, not {name!r:.80}")
    return target


def _hotwords(fields: Mapping[str, Any]) -> tuple[str, ...]:
    words = options.several(fields, "hotwords")
    if not all(isinstance(word, str) for word in words):
        raise BadRequest("'hotwords' must be a string, with commas between terms, or a list of strings")
    return tuple(words)


def _known_voices(fields: Mapping[str, Any]) -> tuple[KnownVoice, ...]:
    given = options.value(fields, "known_speakers")
    given = [] if given is None else given
    if not isinstance(given, list) or len(given) > MAX_KNOWN:
        raise BadRequest(f"'known_speakers' must be a list of at most {MAX_KNOWN} objects")
    voices = []
    for place, entry in enumerate(given):
        name, recording = (entry.get(key) if isinstance(entry, dict) else None for key in ("name", "audio_base64"))
        if not (isinstance(name, str) and name.strip() and isinstance(recording, str) and recording):
            raise BadRequest(f"'known_speakers[{place}]' must have the strings 'name' and 'audio_base64'")
        voices.append(KnownVoice(name.strip(), recording))
    return tuple(voices)


def _format(fields: Mapping[str, Any]) -> AudioFormat:
    name = options.choice(fields, "audio_format", FORMATS)
    return AudioFormat("pcm16" if name == "int16" else name, RATE)
