"""The query of /v1/listen: parameters of Deepgram's API → options. Unknown parameters are ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

from speechmlx import languages
from speechmlx.audio.live_format import AudioFormat
from speechmlx.errors import BadRequest
from speechmlx.protocols.http.options import FALSE, TRUE, flag, integer, number, text

CONTAINER = AudioFormat("container", 16000)
"""The format of audio whose header says what it is."""
HEADERLESS: Mapping[str, Any] = {"linear16": "pcm16", "linear32": "float32", "mulaw": "ulaw", "alaw": "alaw"}
"""Encodings without a header, by name. They need a sample_rate."""
IN_CONTAINERS = ("flac", "opus", "ogg-opus", "webm", "amr-nb", "amr-wb", "mp3", "aac", "wav", "speex")
"""Encodings that are found by the header of their container."""
RATES = (8000, 48000)
"""Lowest and highest sample_rate in Hz."""
MAX_CHANNELS = 8
DETECTED = ("multi", "auto", "")
"""Values of `language` for which the model detects it."""
DEFAULT_LANGUAGE = "en"
MAX_KEYWORDS = 100
SHORTEST_UTTERANCE_END = 1000
"""Milliseconds."""


@dataclass(frozen=True, kw_only=True)
class ListenOptions:
    """What a client asked for. Times are seconds."""

    model: str | None = None
    language: str | None = DEFAULT_LANGUAGE
    """None: the model detects it."""
    names_language: bool = False
    """The client gave `language`, or had it detected."""
    languages: tuple[str, ...] = ()
    """Codes to detect among; empty: all that the model knows."""
    detects_language: bool = False
    """`detect_language` was given."""
    encoding: str = ""
    """As the client named it; "" where the header decides."""
    format: AudioFormat = CONTAINER
    """How the audio is written; all channels together."""
    multichannel: bool = False
    """Each channel by itself, instead of a mix of them."""
    interim_results: bool = False
    endpointing: float | None = 0.01
    """Silence after which speech is final; None: silence ends nothing."""
    utterance_end: float | None = None
    """Time without words after which UtteranceEnd is sent."""
    vad_events: bool = False
    diarize: bool = False
    keywords: tuple[str, ...] = ()
    punctuate: bool = False
    """Punctuation and capitals in transcripts: `punctuate` or `smart_format`."""
    filler_words: bool = False
    profanity_filter: bool = False
    replace: tuple[tuple[str, str], ...] = ()
    """(words to find, words instead of them), the latter perhaps empty."""
    paragraphs: bool = False
    utterances: bool = False
    utt_split: float = 0.8
    callback: str | None = None
    callback_method: str = "POST"
    extra: tuple[tuple[str, str], ...] = ()
    tag: tuple[str, ...] = ()


def listen_options(query: QueryParams) -> ListenOptions:
    """The options in a query. Raises BadRequest, which names the parameter and what it allows."""
    last = {name: query.getlist(name)[-1] for name in query}
    detected = _detected(query.getlist("detect_language"))
    multichannel = flag(last, "multichannel")
    return ListenOptions(
        model=text(last, "model"),
        language=None if detected is not None else _language(last.get("language")),
        names_language=detected is not None or "language" in last,
        languages=detected or (),
        detects_language=detected is not None,
        encoding=(last.get("encoding") or "").strip().lower(),
        format=audio_format(last),
        multichannel=multichannel,
        interim_results=flag(last, "interim_results"),
        endpointing=_endpointing(last),
        utterance_end=_utterance_end(last),
        vad_events=flag(last, "vad_events"),
        diarize=_diarize(last),
        keywords=_keywords(query),
        punctuate=flag(last, "punctuate") or flag(last, "smart_format") or flag(last, "paragraphs"),
        filler_words=flag(last, "filler_words"),
        profanity_filter=flag(last, "profanity_filter"),
        replace=tuple(_replacement(entry) for entry in query.getlist("replace") if entry.strip()),
        paragraphs=flag(last, "paragraphs"),
        utterances=flag(last, "utterances"),
        utt_split=number(last, "utt_split", 0.8, 0.0, 60.0),
        callback=text(last, "callback"),
        callback_method=(text(last, "callback_method") or "POST").upper(),
        extra=tuple(_pair(entry) for entry in query.getlist("extra") if entry.strip()),
        tag=tuple(query.getlist("tag")),
    )


def audio_format(query: Mapping[str, str], headerless: Sequence[str] = tuple(HEADERLESS)) -> AudioFormat:
    """How the audio is written, from `encoding`, `sample_rate` and `channels`. Raises BadRequest."""
    encoding = (query.get("encoding") or "").strip().lower()
    channels = integer(query, "channels", 1, 1, MAX_CHANNELS)
    if encoding in headerless:
        if not (query.get("sample_rate") or "").strip():
            raise BadRequest(f"'encoding={encoding}' needs 'sample_rate', in Hz: {RATES[0]} to {RATES[1]}")
        return AudioFormat(HEADERLESS[encoding], integer(query, "sample_rate", 0, *RATES), channels)
    if encoding and encoding not in IN_CONTAINERS:
        known = ", ".join((*headerless, *IN_CONTAINERS))
        raise BadRequest(f"'encoding' must be one of {known}, not {encoding!r:.80}; without it the header decides")
    return AudioFormat("container", 16000, channels)


def keywords(entries: Sequence[str]) -> tuple[str, ...]:
    """Key terms, without blanks and repetitions. Raises BadRequest for too many."""
    found = tuple(dict.fromkeys(entry.strip() for entry in entries if entry.strip()))
    if len(found) > MAX_KEYWORDS:
        raise BadRequest(f"{len(found)} key terms; allowed: {MAX_KEYWORDS}")
    return found


def _keywords(query: QueryParams) -> tuple[str, ...]:
    """`keyterm=words`, and `keywords=word:boost` where the boost is not negative."""
    boosted = []
    for entry in query.getlist("keywords"):
        word, _, boost = entry.rpartition(":")
        try:
            wanted = not word or float(boost) >= 0
        except ValueError:
            word, wanted = entry, True
        if wanted:
            boosted.append(word or entry)
    return keywords([*query.getlist("keyterm"), *boosted])


def _language(wanted: str | None) -> str | None:
    if wanted is None:
        return DEFAULT_LANGUAGE
    return None if wanted.strip().lower() in DETECTED else languages.code(wanted)


def _detected(entries: Sequence[str]) -> tuple[str, ...] | None:
    """The codes to detect among; None where detection is off."""
    entries = [entry.strip() for entry in entries if entry.strip()]
    if not entries or entries[-1].lower() in FALSE:
        return None
    return tuple(code for entry in entries if entry.lower() not in TRUE and (code := languages.code(entry)))


def _endpointing(query: Mapping[str, str]) -> float | None:
    given = (query.get("endpointing") or "").strip().lower()
    if given in ("false", "no", "off"):
        return None
    if given in ("true", "yes", "on"):
        return ListenOptions.endpointing
    return integer(query, "endpointing", 10, 0, 60_000) / 1000


def _utterance_end(query: Mapping[str, str]) -> float | None:
    given = (query.get("utterance_end_ms") or "").strip().lower()
    if given in ("", "false"):
        return None
    return integer(query, "utterance_end_ms", 0, SHORTEST_UTTERANCE_END, 60_000) / 1000


def _diarize(query: Mapping[str, str]) -> bool:
    return flag(query, "diarize") or (query.get("diarize_model") or "").strip().lower() not in ("", *FALSE)


def _replacement(entry: str) -> tuple[str, str]:
    found, _, instead = entry.partition(":")
    return found.strip(), instead.strip()


def _pair(entry: str) -> tuple[str, str]:
    key, _, value = entry.partition(":")
    return key.strip(), value.strip()
