"""Windows and the queues that bring them."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.engines.whisper.decoding.greedy import TokenSequence
from speechmlx.engines.whisper.decoding.sampling import SamplingRules
from speechmlx.engines.whisper.model.tokenizer import Vocabulary
from speechmlx.engines.whisper.offline.transcription import TranscriptionState
from speechmlx.engines.whisper.offline.window import ClipQueue, Stage, Window
from speechmlx.types import Audio, Transcribe

VOCABULARY = Vocabulary(51864)


def queue(clips: list[tuple[int, int]], vad: bool = True, wary: bool = False) -> ClipQueue:
    request = Transcribe(audio=Audio(np.zeros(16_000, np.float32), 16_000), vad=vad)
    return ClipQueue(TranscriptionState(request, VOCABULARY, 80), clips, wary)


def window(clips: ClipQueue) -> Window:
    assert clips.window is not None
    return clips.window


def test_windows_follow_each_other_through_the_clips() -> None:
    clips = queue([(0, 4000), (5000, 5200)])
    seen = []
    while not clips.done:
        current = window(clips)
        assert current.stage is Stage.WAITING and not current.attempts
        seen.append((current.start, current.end, current.doubted))
        clips.advance(2500 if current.start == 0 else current.end - current.start, doubted=current.start == 0)
    assert seen == [(0, 3000, False), (2500, 4000, True), (5000, 5200, False)]
    assert clips.begun and queue([]).done


@pytest.mark.parametrize(
    ("frames", "vad", "encoded", "tokens"),
    [(100, True, 1200, 70), (1000, True, 1400, 224), (3000, True, 3000, 224), (100, False, 3000, 70)],
)
def test_room(frames: int, vad: bool, encoded: int, tokens: int) -> None:
    current = window(queue([(0, frames)], vad))
    assert (current.encoded_frames, current.most_tokens) == (encoded, tokens)


@pytest.mark.parametrize(("wary", "no_speech", "empty"), [(True, 0.7, True), (True, 0.5, False), (False, 0.7, False)])
def test_a_window_is_empty_when_loudness_and_model_say_so(wary: bool, no_speech: float, empty: bool) -> None:
    current = window(queue([(0, 100)], wary=wary))
    assert not current.is_empty and current.doubted is wary
    current.sequence = TokenSequence([], SamplingRules(()), None, 10, no_speech=no_speech)
    assert current.is_empty is empty
