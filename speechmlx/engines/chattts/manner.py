"""How a request is spoken: its settings, checked, and the prompts that the language model reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechmlx import languages
from speechmlx.engines.chattts import tokens as marks
from speechmlx.engines.chattts.drawing import DrawingRule
from speechmlx.engines.chattts.sequences import ChatSequence
from speechmlx.engines.chattts.speakers import SpeakerBook
from speechmlx.engines.chattts.text import MOST, pieces
from speechmlx.engines.chattts.tokens import ChatTokens
from speechmlx.engines.parts.options import Limits, number
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import Pronunciation, Synthesis

SLOWEST, FASTEST = 0.25, 2.0
STEPS = 5
"""The step of the model's ten, from 0 to 9, that is the normal speed."""
LANGUAGES = ("zh", "en")
NUMBERS: Limits = {
    "seed": (0, 2**32 - 1, True),
    "temperature": (0.01, 2, False),
    "top_P": (0.01, 1, False),
    "top_K": (1, 626, True),
    "repetition_penalty": (1, 2, False),
}
"""All but the seed are those of codes."""
OPTIONS = (*NUMBERS, "skip_refine_text", "prompt")
REFINING = DrawingRule(temperature=0.7, top_p=0.7, top_k=20, penalty=1.0)
SPEAKING = DrawingRule(temperature=0.3, top_p=0.7, top_k=20, penalty=1.05)
REFINED_MOST, REFINED_EACH, REFINED_LEAST = 384, 2, 32
"""Text tokens of a refined piece at most; and for each token of the text, besides those of any."""
FRAMES_MOST, FRAMES_EACH, FRAMES_LEAST = 2048, 32, 128
"""Frames of a piece, 46.875 a second, likewise: speech that does not end is cut off."""
PROMPT_MOST = 32
"""Tokens around a text."""
LONGEST = FRAMES_MOST + min(REFINED_MOST, REFINED_EACH * MOST + REFINED_LEAST) + PROMPT_MOST
"""Tokens of a sequence at most."""


@dataclass(frozen=True)
class ChatManner:
    """The settings of one request."""

    tokens: ChatTokens
    speaker: NDArray[np.float32]
    speed: int
    """The model's step, 0 to 9."""
    seed: int
    refines: bool
    style: str
    """Marks of MANNER: how a text is refined."""
    rule: DrawingRule
    """How codes are drawn."""
    language: str | None
    pronunciations: tuple[Pronunciation, ...]

    def pieces(self, text: str) -> Iterator[str | float]:
        """What is said at once, and seconds of silence, in order."""
        return pieces(text, self.language, self.pronunciations, self.tokens)

    def refining(self, text: str, number: int) -> ChatSequence | None:
        """The sequence that refines piece `number` of the text; None: it is said as it is written."""
        tokens = self.tokens
        if not self.refines or tokens.has_marks(text):
            return None
        words = tokens.encode(text)
        before, after = tokens.number(marks.REFINED), tokens.number(marks.REFINED_END)
        return ChatSequence(
            prompt=(before, *words, after, *tokens.encode(self.style)),
            is_speech=False,
            rule=REFINING,
            random=self._random(number, 0),
            limit=min(REFINED_MOST, REFINED_EACH * len(words) + REFINED_LEAST),
            end=tokens.number(marks.REFINED_OVER),
        )

    def refined(self, sequence: ChatSequence, text: str) -> tuple[int, ...]:
        """The text tokens to say after a piece was refined: its own, where nothing was written."""
        words = self.tokens.said(tuple(token for token, *_ in sequence.drawn))
        return words or self.tokens.encode(text)

    def speaking(self, words: tuple[int, ...], number: int, end: int) -> ChatSequence:
        """The sequence that says text tokens, piece `number`. `end`: the code that ends it."""
        tokens = self.tokens
        before = (tokens.number(marks.SPEECH), tokens.number(marks.SPEAKER))
        speed = tokens.encode(f"[speed_{self.speed}]")
        return ChatSequence(
            prompt=(*before, *speed, *words, tokens.number(marks.SPEECH_END)),
            is_speech=True,
            rule=self.rule,
            random=self._random(number, 1),
            limit=min(FRAMES_MOST, FRAMES_EACH * len(words) + FRAMES_LEAST),
            end=end,
            speaker=(1, self.speaker),
        )

    def _random(self, number: int, stage: int) -> np.random.Generator:
        """Of its own for each sequence, so that what else is in the batch changes nothing."""
        return np.random.default_rng((self.seed, number, stage))


def read_manner(request: Synthesis, tokens: ChatTokens, speakers: SpeakerBook) -> ChatManner:
    """The settings of `request`. Raises BadRequest, Unsupported and UnknownVoice, which tell what is allowed."""
    if not SLOWEST <= request.speed <= FASTEST:
        raise BadRequest(f"speed {request.speed:g} is out of range: {SLOWEST:g} to {FASTEST:g}")
    options = request.options
    if unknown := sorted(set(options) - set(OPTIONS)):
        raise Unsupported(f"ChatTTS has no option {', '.join(unknown)}; its options are {', '.join(OPTIONS)}")
    return ChatManner(
        tokens=tokens,
        speaker=speakers.vector(request.voice),
        speed=min(9, int(STEPS * request.speed)),
        seed=int(number(options, NUMBERS, "seed", 0)),
        refines=not _flag(options, "skip_refine_text"),
        style=_style(options, tokens),
        rule=DrawingRule(
            temperature=number(options, NUMBERS, "temperature", SPEAKING.temperature),
            top_p=number(options, NUMBERS, "top_P", SPEAKING.top_p),
            top_k=int(number(options, NUMBERS, "top_K", SPEAKING.top_k)),
            penalty=number(options, NUMBERS, "repetition_penalty", SPEAKING.penalty),
        ),
        language=_language(request.language),
        pronunciations=request.pronunciations,
    )


def _flag(options: Mapping[str, Any], name: str) -> bool:
    value = options.get(name, False)
    if not isinstance(value, bool):
        raise BadRequest(f"{name} must be true or false, not {value!r:.40}")
    return value


def _style(options: Mapping[str, Any], tokens: ChatTokens) -> str:
    style = options.get("prompt", "")
    left = (
        marks.MANNER.sub(lambda found: "" if tokens.knows(found[0]) else found[0], style)
        if isinstance(style, str)
        else "-"
    )
    if left.strip() or tokens.count(style) > PROMPT_MOST // 2:
        raise BadRequest(
            f"prompt is how a text is refined, in marks like [oral_2][laugh_0][break_6] (oral 0 to 9, laugh 0 to 2, "
            f"break 0 to 7), not {style!r:.80}"
        )
    return style


def _language(language: str | None) -> str | None:
    if language is None:
        return None
    known = languages.match(language, LANGUAGES)
    if known is None:
        raise languages.refusal(language, LANGUAGES, "ChatTTS")
    return known
