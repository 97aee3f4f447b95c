"""Pieces of SenseVoice → the words of a clip with their times, and its tags: language, emotion, event."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from speechmlx.engines.sensevoice.network import ClipPieces

FRAME, EARLY = 0.06, 0.03
"""Seconds of a frame, and by how much a piece begins and ends earlier than its frames."""
SPACE = "▁"
"""Begins a word in a piece."""
NO_TEXT = frozenset({"<unk>", "<s>", "</s>"})
TAG = re.compile(r"<\|(.+)\|>")
LANGUAGES = frozenset({"zh", "en", "yue", "ja", "ko"})
NO_SPEECH = "nospeech"
EMOTIONS = {
    "HAPPY": "happy",
    "SAD": "sad",
    "ANGRY": "angry",
    "NEUTRAL": "neutral",
    "FEARFUL": "fearful",
    "DISGUSTED": "disgusted",
    "SURPRISED": "surprised",
}
"""By the tag. Others, such as EMO_UNKNOWN, are none."""
SOUNDS = {
    "Speech": "speech",
    "BGM": "music",
    "Applause": "applause",
    "Laughter": "laughter",
    "Cry": "crying",
    "Sneeze": "sneeze",
    "Breath": "breath",
    "Cough": "cough",
    "Sing": "singing",
}
"""By the tag."""


@dataclass(frozen=True)
class ClipTags:
    """What the model says of a clip besides its words. None: nothing."""

    language: str | None = None
    emotion: str | None = None
    sound: str | None = None
    """What is heard besides speech, else speech."""
    is_speech: bool = True


@dataclass(frozen=True)
class SaidWord:
    """A word, a Chinese or Japanese character, or a sign; `text` keeps its leading space. Times in seconds."""

    text: str
    start: float
    end: float
    logprob: float


def tags_of(clip: ClipPieces, pieces: Sequence[str]) -> ClipTags:
    """The tags of a clip, from the answers and from those inside its text."""
    found = [
        match[1] for piece in (*clip.answers, *clip.pieces) if (match := TAG.fullmatch(pieces[piece].strip(SPACE)))
    ]
    known = next((tag for tag in found if tag in LANGUAGES), None)
    emotion = next((EMOTIONS[tag] for tag in found if tag in EMOTIONS), None)
    sounds = sorted((SOUNDS[tag] for tag in found if tag in SOUNDS), key=lambda sound: sound == "speech")
    return ClipTags(known, emotion, sounds[0] if sounds else None, NO_SPEECH not in found)


def spoken_words(clip: ClipPieces, pieces: Sequence[str]) -> list[SaidWord]:
    """The words of a clip. Tags are no words."""
    words: list[SaidWord] = []
    for number, piece in enumerate(clip.pieces):
        text = pieces[piece]
        if not _is_text(text):
            continue
        start, end = (max(0.0, place * FRAME - EARLY) for place in (clip.starts[number], clip.ends[number]))
        shown = text.replace(SPACE, " ")
        if words and _goes_on(words[-1].text, shown):
            last = words[-1]
            words[-1] = SaidWord(last.text + shown, last.start, end, min(last.logprob, clip.logprobs[number]))
        else:
            words.append(SaidWord(shown, start, end, clip.logprobs[number]))
    return words


def text_pieces(clip: ClipPieces, pieces: Sequence[str]) -> tuple[tuple[bytes, float], ...]:
    """Each piece that is text, and the logarithm of its probability."""
    told = [(pieces[piece], logprob) for piece, logprob in zip(clip.pieces, clip.logprobs, strict=True)]
    return tuple((text.replace(SPACE, " ").encode(), logprob) for text, logprob in told if _is_text(text))


def _is_text(piece: str) -> bool:
    """Whether a piece is neither a tag nor one of NO_TEXT."""
    return piece not in NO_TEXT and TAG.fullmatch(piece.strip(SPACE)) is None


def _goes_on(word: str, piece: str) -> bool:
    """Whether a piece belongs to the word before it: a part of a word in an alphabet, or a sign behind a word."""
    if not word.strip():
        return True
    if piece.startswith(" "):
        return False
    return not any(character.isalnum() for character in piece) or (word[-1].isascii() and piece[:1].isascii())
