"""A spoken answer to a spoken question: its events, its length, and what ends it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from support.fake_engines import FakeEngines, Step, row

from speechmlx.config import Config
from speechmlx.conversation.respond import MIN_TOKENS, STEP, model_names, respond
from speechmlx.errors import BadRequest, EngineFailed
from speechmlx.types import (
    Audio,
    Chunk,
    Event,
    Generate,
    Kind,
    LanguageDetected,
    NamedVoice,
    Priority,
    Respond,
    Segment,
    Speak,
    TextDelta,
    Transcribe,
    Usage,
)

QUESTION = Audio(np.zeros(8000, np.float32), 16000)
SOUND = Chunk(np.full(24000, 9000, "<i2").tobytes(), 24000)
WORDS = (LanguageDetected("en", 0.9), Segment(" Is it", 0.0, 0.3, 0.9), Segment(" late?", 0.3, 0.5, 0.9))
TEXT = (TextDelta("It is late now. "), TextDelta("Go home, my friend."), Usage(tokens_out=9))


def runtime(words: Iterable[Step] = WORDS, text: Iterable[Step] = TEXT, **config: Any) -> Any:
    """The three models, whose clauses are a second long."""

    def run(request: object) -> Iterable[Step]:
        match request:
            case Transcribe():
                return words
            case Generate():
                return text
        return [SOUND]

    engines: Any = FakeEngines(run, [row(kind) for kind in (Kind.ASR, Kind.LLM, Kind.TTS)])
    engines.config = Config(**config)
    return engines


async def answered(engines: Any, **fields: Any) -> list[Event]:
    async with aclosing(respond(engines, Respond(audio=QUESTION, **fields))) as events:
        return [event async for event in events]


async def test_what_was_asked_then_each_clause_and_its_audio() -> None:
    engines = runtime()
    voice = NamedVoice("anna")
    events = await answered(engines, voice=voice, language="en", instructions="Be kind.", priority=Priority.BULK)
    assert events == [
        *WORDS, TextDelta("It is late now. "), SOUND, TextDelta("Go home, my friend."), SOUND,
        Usage(audio_in=0.5, audio_out=2.0),
    ]  # fmt: skip
    (generate,), speaks = engines.requests(Generate), list(engines.requests(Speak))
    assert [message.content for message in generate.messages] == ["Be kind.", "Is it late?"]
    assert {(speak.voice, speak.language, speak.priority) for speak in speaks} == {(voice, "en", Priority.BULK)}
    assert {job.request.priority for job in engines.jobs} == {Priority.BULK}


@pytest.mark.parametrize(
    ("steps", "seconds", "tokens"), [(1, 0.08, MIN_TOKENS), (19, 1.52, MIN_TOKENS), (200, 2.0, 64)]
)
async def test_the_length_of_the_answer(steps: int, seconds: float, tokens: int) -> None:
    engines = runtime()
    events = await answered(engines, max_steps=steps)
    assert sum(event.duration for event in events if isinstance(event, Chunk)) == pytest.approx(seconds)
    assert events[-1] == Usage(audio_in=0.5, audio_out=pytest.approx(seconds))  # type: ignore[arg-type]
    assert [request.max_tokens for request in engines.requests(Generate)] == [tokens]
    assert seconds <= steps * STEP and all(job.left for job in engines.jobs)


@pytest.mark.parametrize(
    ("words", "text", "error", "says"),
    [
        ([LanguageDetected("en", 0.1), Segment("  ", 0.0, 0.1, 0.1)], TEXT, BadRequest, "no speech was heard"),
        (WORDS, [Usage()], EngineFailed, "the language model gave no answer"),
        (WORDS, [EngineFailed("it broke")], EngineFailed, "it broke"),
    ],
)
async def test_no_answer(words: list[Step], text: list[Step], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        await answered(runtime(words, text))


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({}, "fake-llm"),
        ({"llm_url": "http://x/v1"}, "http://x/v1"),
        ({"llm_url": "http://x", "llm_url_model": "m"}, "m"),
    ],
)
def test_names(config: dict[str, Any], name: str) -> None:
    assert model_names(runtime(**config)) == f"fake-asr+{name}+fake-tts"
