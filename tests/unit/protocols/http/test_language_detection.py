"""Detection of the spoken language: sure windows, unsure ones, and recordings without speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from speechmlx.errors import BadRequest, UnknownModel, Unsupported
from speechmlx.models.spec import Model
from speechmlx.protocols.http.language_detection import WINDOW, detect_language
from speechmlx.runtime.front.job import Job
from speechmlx.types import Audio, DetectLanguage, Kind, LanguageDetected, Request, Segment, Transcribe

RATE = 10
MODEL = Model(name="m", kind=Kind.ASR, engine="none:load", sources=(), size=0, memory=0, rate=RATE, licence="none")


class FakeRuntime:
    """Detects one language after the other; None: no speech."""

    def __init__(self, detected: Sequence[LanguageDetected | Segment | None], identifies: bool = False) -> None:
        """`identifies`: a model of its own tells the languages."""
        self.requests: list[Transcribe | DetectLanguage] = []
        self._identifies = identifies
        self._detected = list(detected)

    def model(self, name: str | None, kind: Kind | None, live: bool = False) -> Model:
        if kind is Kind.LID and not self._identifies:
            raise UnknownModel("there is no lid model")
        return MODEL

    def submit(self, request: Request) -> Job:
        assert isinstance(request, DetectLanguage if self._identifies else Transcribe)
        self.requests.append(request)
        job = Job(0, request, MODEL, lambda message: None, lambda job: None)
        job.start("/folder")
        if (language := self._detected.pop(0)) is not None:
            job.on_output(language)
        job.finish_with(None)
        return job


def language(code: str, probability: float) -> LanguageDetected:
    return LanguageDetected(code, probability)


@pytest.mark.parametrize("identifies", [False, True])
@pytest.mark.parametrize(
    ("windows", "detected", "expected", "requests"),
    [
        (3, [language("de", 0.9)], language("de", 0.9), 1),
        (3, [None, language("de", 0.8)], language("de", 0.8), 2),
        (3, [language("de", 0.4), language("nl", 0.5), language("de", 0.5)], language("de", 0.3), 3),
        (2, [None, None, language("en", 0.2)], language("en", 0.2), 3),
    ],
)
async def test_the_language(
    windows: int,
    detected: list[LanguageDetected | None],
    expected: LanguageDetected,
    requests: int,
    identifies: bool,
) -> None:
    runtime = FakeRuntime(detected, identifies)
    found = await detect_language(runtime, "m", Audio(np.zeros(windows * WINDOW * RATE, np.float32), RATE))
    assert (found.language, found.probability) == (expected.language, pytest.approx(expected.probability))
    assert len(runtime.requests) == requests
    assert all(request.audio.duration == WINDOW for request in runtime.requests)
    assert runtime.requests[-1].vad is (requests <= windows)


async def test_a_recording_too_short_for_the_model_is_refused() -> None:
    with pytest.raises(BadRequest, match="too short"):
        await detect_language(FakeRuntime([None]), "m", Audio(np.zeros(0, np.float32), RATE))


async def test_a_recogniser_that_tells_no_language() -> None:
    runtime = FakeRuntime([None, Segment("hello", 0.0, 1.0, 1.0)])
    with pytest.raises(Unsupported, match=r"m does not tell which language it hears; name a model that does.*--lid"):
        await detect_language(runtime, "m", Audio(np.zeros(3 * WINDOW * RATE, np.float32), RATE))
    assert len(runtime.requests) == 2
