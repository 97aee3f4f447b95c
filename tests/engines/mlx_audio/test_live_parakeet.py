from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.hearing_live import check_words, committed, listened, talk

from speechmlx.engines.mlx_audio.live import parakeet
from speechmlx.engines.mlx_audio.live.parakeet import ParakeetStream, agreed
from speechmlx.engines.mlx_audio.results import joined
from speechmlx.types import Hypothesis, Listen, Word


def test_the_last_pass_is_the_package_s_own(bridged: Load) -> None:
    """What is shorter than a step is recognised once, as a whole recording is."""
    engine, samples = bridged("stt/parakeet"), talk(0.45)
    result = engine.checkpoint.model.generate(mx.array(samples), dtype=mx.float32)
    expected = joined([token for sentence in result.sentences for token in sentence.tokens])
    found = committed(listened(engine, samples))
    assert found and [word.text for word in found] == [word.text for word in expected]


def test_a_pause_ends_an_utterance(bridged: Load) -> None:
    engine, samples = bridged("stt/parakeet"), talk(6, 0, pause=(2.5, 4.5))
    events = listened(engine, samples)
    check_words(events, 6.0)
    told = [event for event in events if isinstance(event, Hypothesis)]
    assert any(event.committed and not event.tail for event in told[:-1])
    assert not [word for word in committed(events) if 3.0 < word.start < 3.9]


def test_silence_is_not_recognised(bridged: Load) -> None:
    events = listened(bridged("stt/parakeet"), np.zeros(40000, np.float32))
    assert not [event for event in events if isinstance(event, Hypothesis)]


def words(*texts: str, at: float = 0.0) -> list[Word]:
    return [Word(f" {text}", at + place, at + place + 0.8, 1.0) for place, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("now", "before", "until", "count"),
    [
        (words("one", "two", "three"), words("one", "two", "tree"), 9.0, 2),
        (words("One,", "two"), words("one", "two"), 9.0, 2),
        (words("one", "two"), words("one", "two"), 1.0, 1),
        (words("one", "two"), [], 9.0, 0),
        (words("one"), words("one", "two"), 9.0, 1),
    ],
)
def test_words_of_two_passes_are_committed(now: list[Word], before: list[Word], until: float, count: int) -> None:
    assert agreed(now, before, until) == count


class Passes(ParakeetStream):
    """A stream whose passes find, of words said once a second, those that have been said."""

    said = words("no", "no", "yes", *"abcdefghijklmnopqrstuvwxyz")

    def _recognised(self) -> list[Word]:
        first = self._buffer.origin / 16000
        until = first + len(self._buffer) / 16000
        shift = 0.08 * (len(self._buffer) % 16000 > 0)  # times are not quite the same in each pass
        heard = [word for word in self.said if first <= word.start + 0.1 and word.start < until]
        return [Word(word.text, word.start + shift, min(word.end + shift, until), 1.0) for word in heard]


def test_a_long_stream_says_every_word_once(bridged: Load) -> None:
    """Also where a word is said twice, and where the buffer is cut."""
    stream = Passes(bridged("stt/parakeet").checkpoint, Listen())
    events, samples = [], talk(29)
    for first in range(0, len(samples), 4000):
        events += [event for event in stream.feed(samples[first : first + 4000]) if event]
        assert len(stream._buffer) <= 16000 * (parakeet.LONGEST + parakeet.STEP)
    events += [event for event in stream.finish() if event]
    assert [word.text for word in committed(events)] == [word.text for word in Passes.said]
    assert not stream._tail
