"""TranscriptionForm: the recognition settings of a request, read once into typed fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speechmlx.models.spec import Model
from speechmlx.types import Audio, Transcribe

Task = Literal["transcribe", "translate"]
TASKS: tuple[Task, ...] = ("transcribe", "translate")


@dataclass(frozen=True, kw_only=True)
class TranscriptionForm:
    """How a client wants a recording transcribed: the fields of `Transcribe` that do not depend on the recording."""

    language: str | None = None
    languages: tuple[str, ...] = ()
    task: Task = "transcribe"
    prompt: str | None = None
    hotwords: tuple[str, ...] = ()
    prefix: str | None = None
    temperatures: tuple[float, ...] = Transcribe.temperatures
    beam_size: int = Transcribe.beam_size
    words: bool = False
    logprobs: bool = False
    condition_on_previous_text: bool = False
    suppress_tokens: tuple[int, ...] = Transcribe.suppress_tokens
    clips: tuple[tuple[float, float], ...] = ()
    vad: bool = True

    def request(self, model: Model, audio: Audio) -> Transcribe:
        """The request to transcribe `audio` with `model`."""
        return Transcribe(
            model=model.name,
            audio=audio,
            language=self.language,
            languages=self.languages,
            task=self.task,
            prompt=self.prompt,
            hotwords=self.hotwords,
            prefix=self.prefix,
            temperatures=self.temperatures,
            beam_size=self.beam_size,
            words=self.words,
            logprobs=self.logprobs,
            condition_on_previous_text=self.condition_on_previous_text,
            suppress_tokens=self.suppress_tokens,
            clips=self.clips,
            vad=self.vad,
        )
