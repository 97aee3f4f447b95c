"""Speakers of recognised speech: each word gets the one who says it, segments end where another begins; their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, product
from string import ascii_uppercase

from speechmlx.types import Event, KnownSpeaker, Segment, SpeakerTurn, Word

NEAR = 1.0
"""Seconds to the nearest turn from which on a word in a pause is nobody's."""
SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")


def main_speaker(start: float, end: float, turns: Iterable[SpeakerTurn]) -> str | None:
    """The speaker who talks for most of a time, else who talks next to it; None where nobody is near."""
    seconds: dict[str, float] = {}
    nearest, speaker = NEAR, None
    for turn in turns:
        overlap = min(end, turn.end) - max(start, turn.start)
        if overlap > 0:
            seconds[turn.speaker] = seconds.get(turn.speaker, 0.0) + overlap
        elif -overlap < nearest:
            nearest, speaker = -overlap, turn.speaker
    return max(seconds, key=lambda name: seconds[name]) if seconds else speaker


def split_at_speakers(segment: Segment, turns: Sequence[SpeakerTurn]) -> Iterator[Segment]:
    """The segment as parts of one speaker each, whose texts join to its text. Without words it is one part.

    A part has no tokens, as they belong to the whole segment. The speaker is None where nobody is near.
    """
    if not segment.words:
        yield replace(segment, speaker=main_speaker(segment.start, segment.end, turns))
        return
    speakers = _by_sentence(segment.words, [main_speaker(word.start, word.end, turns) for word in segment.words])
    words = [replace(word, speaker=speaker) for word, speaker in zip(segment.words, speakers, strict=True)]
    if len(set(speakers)) == 1:
        yield replace(segment, words=tuple(words), speaker=speakers[0])
        return
    firsts = [i for i in range(len(words)) if i == 0 or speakers[i] != speakers[i - 1]]
    logprobs = segment.logprobs
    for first, end in zip(firsts, [*firsts[1:], len(words)], strict=True):
        part, logprobs = _part(segment, words[first:end], logprobs, end == len(words))
        yield part


Logprobs = tuple[tuple[bytes, float], ...]


def _part(segment: Segment, words: Sequence[Word], logprobs: Logprobs, last: bool) -> tuple[Segment, Logprobs]:
    """The part of a segment that `words` are, and the log-probabilities of the tokens that are left for later parts."""
    text = "".join(word.text for word in words)
    length, taken = 0, 0
    while taken < len(logprobs) and (last or length < len(text.encode())):
        length += len(logprobs[taken][0])
        taken += 1
    part = replace(
        segment,
        text=text,
        start=words[0].start,
        end=words[-1].end,
        words=tuple(words),
        tokens=(),
        logprobs=logprobs[:taken],
        speaker=words[0].speaker,
    )
    return part, logprobs[taken:]


def _by_sentence(words: Sequence[Word], speakers: list[str | None]) -> list[str | None]:
    """The speakers of `words`, where a change that is one word away from the end of a sentence is moved there.

    Times of words are less exact than their order.
    """
    moved = list(speakers)
    for i in range(1, len(words)):
        if speakers[i] == speakers[i - 1] or _ends_sentence(words[i - 1]):
            continue
        if _ends_sentence(words[i]) and i + 1 < len(words) and speakers[i + 1] == speakers[i]:
            moved[i] = speakers[i - 1]
        elif i > 1 and _ends_sentence(words[i - 2]) and speakers[i - 2] == speakers[i - 1]:
            moved[i - 1] = speakers[i]
    return moved


def _ends_sentence(word: Word) -> bool:
    return word.text.rstrip("\"'”’)» ").endswith(SENTENCE_ENDS)


class SpeakerNames:
    """The names of speakers in an answer: those of known speakers, and for others letters or numbers."""

    def __init__(self, known: tuple[KnownSpeaker, ...] = (), numbered: bool = False) -> None:
        self._known = {speaker.name for speaker in known}
        self._numbered = numbered
        """SPEAKER_00, SPEAKER_01, ...; else A, B, ..."""

    def name(self, speaker: str) -> str:
        """The name of the `speaker` of an event."""
        if speaker in self._known or not speaker.isdecimal():
            return speaker
        if self._numbered:
            return f"SPEAKER_{int(speaker):02}"
        names = ("".join(letters) for length in count(1) for letters in product(ascii_uppercase, repeat=length))
        free = (name for name in names if name not in self._known)
        for _ in range(int(speaker)):
            next(free)
        return next(free)

    def apply(self, event: Event) -> Event:
        """The event with its speakers named."""
        if isinstance(event, SpeakerTurn):
            return replace(event, speaker=self.name(event.speaker))
        if not isinstance(event, Segment):
            return event
        words = tuple(
            word if word.speaker is None else replace(word, speaker=self.name(word.speaker)) for word in event.words
        )
        return replace(event, words=words, speaker=None if event.speaker is None else self.name(event.speaker))
