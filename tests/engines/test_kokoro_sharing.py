"""Several requests at once, as on a GPU: what is encoded together sounds as it does alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest

from speechmlx.engines import Batched, LoadOptions, kokoro
from speechmlx.errors import BadRequest, UnknownVoice
from speechmlx.types import Chunk, Enhance, Event, NamedVoice, Speak, Usage, WordTimes

if TYPE_CHECKING:
    from speechmlx.engines.kokoro.engine import Kokoro, SharingKokoro

TEXTS = ("Hello there.", "No. It is much too late.", "Ah.")


@pytest.fixture(scope="module")
def sharing(model_folder: Callable[[str], Path], loaded: Callable[..., Any]) -> SharingKokoro:
    options = LoadOptions(device="gpu", dtype="float32", warm_up=False)
    return loaded(kokoro.load(model_folder("kokoro-82m"), options))


def spoken(
    engine: SharingKokoro, requests: Sequence[Speak], on_step: Callable[[int, list[Any]], None] = lambda *_: None
) -> list[list[Event | Exception]]:
    """All events of requests that run at once."""
    states = [engine.begin(request) for request in requests]
    found: list[list[Event | Exception]] = [[] for _ in states]
    number = 0
    while going := [state for state in states if not state.finished]:
        for state, events in zip(going, engine.step(going), strict=True):
            found[states.index(state)] += events
        on_step(number, states)
        number += 1
    for state in states:
        engine.end(state)
    return found


def test_texts_that_are_encoded_together_sound_as_alone(sharing: SharingKokoro) -> None:
    melody, counts = sharing.encoder.melody, list[int]()

    def counted(texts: Sequence[mx.array]) -> list[mx.array]:
        counts.append(len(texts))
        return melody(texts)

    counting = replace(sharing, encoder=replace(sharing.encoder, melody=counted))
    requests = [Speak(text=text, speed=speed) for text, speed in zip(TEXTS, (1.0, 1.3, 0.8), strict=True)]
    together = spoken(counting, requests)
    assert counts == [3, 1]  # the first sentence of each, then the second of one
    for request, events in zip(requests, together, strict=True):
        alone = [event for event in sharing.run(request) if event is not None]
        assert [type(event) for event in events] == [type(event) for event in alone]
        for event, other in zip(events, alone, strict=True):
            if isinstance(event, Chunk) and isinstance(other, Chunk):
                difference = np.frombuffer(event.pcm16, "<i2").astype(int) - np.frombuffer(other.pcm16, "<i2")
                assert np.abs(difference).max() <= 4  # 1e-4
            elif isinstance(event, WordTimes) and isinstance(other, WordTimes):
                assert [word.text for word in event.words] == [word.text for word in other.words]
                assert [word.start for word in event.words] == [word.start for word in other.words]
            else:
                assert event == other


def test_one_that_leaves_takes_nothing_from_the_others(sharing: SharingKokoro) -> None:
    def leave(step: int, states: list[Any]) -> None:
        if states[0].encoding is not None:
            sharing.end(states[0])

    left, stays = spoken(sharing, [Speak(text="Ah."), Speak(text="Oh.")], leave)
    assert not left
    assert stays == [event for event in sharing.run(Speak(text="Oh.")) if event is not None]


def test_errors_are_of_their_own_request(sharing: SharingKokoro) -> None:
    with pytest.raises(UnknownVoice):
        sharing.begin(Speak(text="Ah.", voice=NamedVoice("nobody")))
    with pytest.raises(Exception, match="Speak requests, not Enhance"):
        sharing.begin(Enhance())
    blank, said = spoken(sharing, [Speak(text=" \n"), Speak(text="Ah.")])
    assert [type(event) for event in blank] == [BadRequest] and isinstance(said[-1], Usage)


def test_a_cpu_speaks_one_by_one(kokoro_engine: Kokoro, sharing: SharingKokoro, options: LoadOptions) -> None:
    assert isinstance(sharing, Batched) and sharing.max_batch == 4
    assert isinstance(kokoro_engine, Batched) == (options.device == "gpu")
