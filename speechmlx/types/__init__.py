"""Requests, commands and events: everything that crosses from a wire to an engine and back.

Frozen, neutral (no wire's words, no engine's words) and picklable. Times are float seconds from the first sample,
samples are mono float32 in [-1, 1], `pcm16` is little-endian signed 16 bit bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechmlx.types.commands import Command, End, Feed, FeedText
from speechmlx.types.events import (
    Checkpoint,
    Chunk,
    Event,
    Hypothesis,
    LanguageDetected,
    Probability,
    Progress,
    Segment,
    SpeakerTurn,
    TextDelta,
    Usage,
    Word,
    WordTime,
    WordTimes,
)
from speechmlx.types.requests import (
    Align,
    Converse,
    DetectSpeech,
    DetectTurn,
    Diarize,
    DiarizeStream,
    Enhance,
    Generate,
    Listen,
    Load,
    Request,
    Respond,
    Speak,
    SpeakStream,
    Synthesis,
    Transcribe,
    Unload,
)
from speechmlx.types.values import (
    CALL_FRAME,
    Audio,
    FunctionCall,
    Kind,
    KnownSpeaker,
    Message,
    NamedVoice,
    Priority,
    Pronunciation,
    ReferenceVoice,
    SpeakerOptions,
    Voice,
)

if TYPE_CHECKING:
    from speechmlx.types.values import Samples as Samples

__all__ = [
    "CALL_FRAME",
    "Align",
    "Audio",
    "Checkpoint",
    "Chunk",
    "Command",
    "Converse",
    "DetectSpeech",
    "DetectTurn",
    "Diarize",
    "DiarizeStream",
    "End",
    "Enhance",
    "Event",
    "Feed",
    "FeedText",
    "FunctionCall",
    "Generate",
    "Hypothesis",
    "Kind",
    "KnownSpeaker",
    "LanguageDetected",
    "Listen",
    "Load",
    "Message",
    "NamedVoice",
    "Priority",
    "Probability",
    "Progress",
    "Pronunciation",
    "ReferenceVoice",
    "Request",
    "Respond",
    "Segment",
    "Speak",
    "SpeakStream",
    "SpeakerOptions",
    "SpeakerTurn",
    "Synthesis",
    "TextDelta",
    "Transcribe",
    "Unload",
    "Usage",
    "Voice",
    "Word",
    "WordTime",
    "WordTimes",
]
