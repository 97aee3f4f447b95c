"""What a live stream refuses, and what it does with audio that needs no network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.small_whisper import VOCABULARY, network

from speechmlx.engines.step_size import StepSize
from speechmlx.engines.whisper.streaming.stream import STEP, CommittedWord, LiveStream
from speechmlx.errors import BadAudio, BadRequest, Unsupported
from speechmlx.types import End, Feed, Listen

RATE = 16_000


def stream(**options: Any) -> LiveStream:
    return LiveStream(network(), VOCABULARY, Listen(**options), StepSize(1, 1, 2))


def fed(found: LiveStream, samples: np.ndarray) -> LiveStream:
    found.feed(Feed(samples))
    while found.busy:
        assert found.advance() == []
    return found


@pytest.mark.parametrize(
    ("error", "match", "options"),
    [
        (BadRequest, "alignatt, localagreement", {"policy": "guess"}),
        (Unsupported, "translate", {"task": "translate"}),
        (Unsupported, "it knows en", {"language": "de"}),
    ],
)
def test_what_the_model_cannot_do_is_refused(error: type[Exception], match: str, options: dict[str, Any]) -> None:
    with pytest.raises(error, match=match):
        stream(**options)


@pytest.mark.parametrize("samples", [np.full(100, np.inf, np.float32), np.zeros((10, 2), np.float32)])
def test_bad_audio_is_refused(samples: np.ndarray) -> None:
    found = stream()
    with pytest.raises(BadAudio):
        found.feed(Feed(samples))
    assert not found.busy


@pytest.mark.parametrize("chunk", [100, STEP, 5 * RATE])
def test_silence_is_not_decoded_and_not_kept(chunk: int) -> None:
    found = stream()
    for first in range(0, 5 * RATE, chunk):
        fed(found, np.zeros(chunk, np.float32)[: 5 * RATE - first])
    assert len(found.buffer) <= 2 * STEP and found.buffer.origin + len(found.buffer) == 5 * RATE
    found.feed(End())
    assert found.advance() == [] and found.finished and not found.busy


def test_words_dropped_from_the_buffer_become_context() -> None:
    found = stream()
    found.buffer.append(np.zeros(4 * RATE, np.float32))
    found.committed = [CommittedWord((5, 6), RATE), CommittedWord((7,), 3 * RATE)]
    found._drop(2 * RATE)
    assert found._context == [5, 6] and found.committed == [CommittedWord((7,), RATE)]


def test_a_long_buffer_is_cut_after_a_committed_word() -> None:
    found = stream()
    found.buffer.append(np.zeros(13 * RATE, np.float32))
    found.committed = [CommittedWord((5,), 2 * RATE), CommittedWord((6,), 7 * RATE), CommittedWord((7,), 12 * RATE)]
    found._shorten()
    assert found.buffer.origin == 7 * RATE and len(found.committed) == 1
    found.buffer.append(np.zeros(7 * RATE, np.float32))
    found.committed = []
    found._shorten()
    assert len(found.buffer) == 12 * RATE


def test_closing_frees() -> None:
    found = fed(stream(), np.zeros(100, np.float32))
    found.feed(Feed(np.zeros(RATE, np.float32)))
    found.close()
    assert not found.busy and len(found.buffer) == 0 and found.sequence is None
