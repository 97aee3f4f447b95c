"""How a request is spoken: its settings, checked, and what the language model reads before the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from speechmlx import languages
from speechmlx.engines.cosyvoice.generation import Generation
from speechmlx.engines.cosyvoice.interleaving import Interleaving
from speechmlx.engines.cosyvoice.live_text import LEAD
from speechmlx.engines.cosyvoice.speech_model import SpeechPrompt
from speechmlx.engines.cosyvoice.text_pieces import TextPiece, as_said, beside, language_of, pieces
from speechmlx.engines.cosyvoice.text_tokens import TextTokens
from speechmlx.engines.cosyvoice.voices import PreparedVoice, check_recording
from speechmlx.errors import BadRequest, Unsupported
from speechmlx.types import Audio, Pronunciation, ReferenceVoice, Synthesis

SLOWEST, FASTEST = 0.5, 2.0
SEED, MOST_SEED = 0, 2**32 - 1
"""Where the client names no seed: the same text sounds the same each time."""
OPTIONS = ("seed", "prompt_speech", "prompt_text", "instruct", "instruct_text")
MOST_BEFORE = 400
"""Tokens of an instruction, or of what is said in a recording."""


@dataclass(frozen=True)
class SpeakingManner:
    """The settings of one request."""

    generation: Generation
    tokens: TextTokens
    speed: float
    seed: int
    language: str | None
    recording: Audio | None
    said: str
    """What is said in the recording; "": unknown."""
    instruction: str
    name: str | None
    """Of a speaker; None: the recording's, or the first one."""
    pronunciations: tuple[Pronunciation, ...]

    def pieces(self, text: str) -> Iterator[TextPiece]:
        """What is said at once, in order."""
        return pieces(text, self.language, self.pronunciations, self.tokens)

    def prompt(self, text: str, voice: PreparedVoice) -> SpeechPrompt:
        """What the language model reads to say `text`.

        An instruction counts more than what is said in the recording, which the language model does not read then.
        """
        words = self.tokens.encode(text)
        if self.instruction:
            return SpeechPrompt(self._told, words)
        before = (*self._told, *self.tokens.encode(self.said))
        speaker = voice.flow.speaker if self.generation.reads_speaker else None
        return SpeechPrompt(before, words, voice.tokens if self.said else (), speaker)

    @property
    def _told(self) -> tuple[int, ...]:
        """Tokens of the instruction, with what the generation reads before every text."""
        end, asked = self.generation.end_of_prompt, f"{self.generation.preamble} {self.instruction}".strip()
        return self.tokens.encode(asked if not asked or end in asked else asked + end)

    @property
    def interleaves(self) -> bool:
        """Whether a text can be said while it is being written. An instruction among speech would be read aloud."""
        return self.generation.is_chunked and (self.generation.is_told_first or not self.instruction)

    def interleaving(self, voice: PreparedVoice) -> Interleaving:
        """How the language model reads such a text."""
        said = "" if self.instruction else self.said
        return Interleaving(self.generation, self._told, self.tokens.encode(said), voice.tokens if said else ())

    def words(self, text: str) -> str:
        """A part of a sentence that is being written, as it is said."""
        lead = LEAD.match(text)
        mark, rest = (lead[1], text[lead.end() :]) if lead else ("", text)
        read = as_said(rest, self.language or language_of(rest), self.pronunciations, self.tokens.signs)
        return beside(mark, read.rstrip(".。 "))

    @property
    def held(self) -> int:
        """Words that the end of such a part waits for: those of the longest entry of the lexicon."""
        return max((len(entry.spelling.split()) for entry in self.pronunciations), default=1)


def read_manner(request: Synthesis, generation: Generation, tokens: TextTokens) -> SpeakingManner:
    """The settings of `request`. Raises BadRequest and Unsupported, which tell what is allowed."""
    if not SLOWEST <= request.speed <= FASTEST:
        raise BadRequest(f"speed {request.speed:g} is out of range: {SLOWEST:g} to {FASTEST:g}")
    if unknown := sorted(set(request.options) - set(OPTIONS)):
        raise Unsupported(f"{generation.name} has no option {', '.join(unknown)}; its options are {', '.join(OPTIONS)}")
    recording, said, name = _voice(request, generation)
    instruction = _instruction(request, generation)
    for what, text in (("instructions", instruction), ("prompt_text", said)):
        if (count := tokens.count(text)) > MOST_BEFORE:
            raise BadRequest(f"{what} is {count} tokens long; at most {MOST_BEFORE} are read")
    return SpeakingManner(
        generation=generation,
        tokens=tokens,
        speed=request.speed,
        seed=_seed(request.options),
        language=_language(request.language, generation),
        recording=recording,
        said=said,
        instruction=instruction,
        name=name,
        pronunciations=request.pronunciations,
    )


def _voice(request: Synthesis, generation: Generation) -> tuple[Audio | None, str, str | None]:
    """A recording to imitate, what is said in it, and the name of a speaker."""
    recording, said, name = request.options.get("prompt_speech"), _text(request.options, "prompt_text"), None
    if isinstance(request.voice, ReferenceVoice):
        recording, said = request.voice.audio, request.voice.text
    elif request.voice is not None:
        name = request.voice.name
    if generation.recording_refused and (recording is not None or said):
        raise BadRequest(f"{generation.name} {generation.recording_refused}")
    if recording is None:
        if said:
            raise BadRequest("prompt_text is what is said in a recording: give the recording too (prompt_speech)")
        return None, "", name
    if not isinstance(recording, Audio):
        raise BadRequest("prompt_speech must be a recording")
    check_recording(recording)
    return recording, said.strip(), None


def _instruction(request: Synthesis, generation: Generation) -> str:
    """How to speak; "": as the model does. `instructions`, which clients send to any model, may be passed over."""
    asked = _text(request.options, "instruct", "instruct_text").strip()
    if not generation.instruction_refused:
        return (request.instructions or asked).strip()
    if asked:
        raise BadRequest(f"{generation.name} {generation.instruction_refused}")
    return ""


def _text(options: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = options.get(name)
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"{name} must be a text, not {value!r:.60}")
        if value and value.strip():
            return value
    return ""


def _seed(options: Mapping[str, Any]) -> int:
    seed = options.get("seed", SEED)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MOST_SEED:
        raise BadRequest(f"seed must be a whole number from 0 to {MOST_SEED}, not {seed!r:.40}")
    return seed


def _language(language: str | None, generation: Generation) -> str | None:
    if language is None:
        return None
    known = languages.match(language, generation.languages)
    if known is None:
        raise languages.refusal(language, generation.languages, generation.name)
    return "zh" if known == "yue" else known
