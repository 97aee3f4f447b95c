"""Families that enhance speech: a stream is as long as its input, however it is cut, and made of whole windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.test_families import noise
from support import tiny_bridge
from support.engine_runs import fed, sound

from speechmlx.engines.mlx_audio.enhancement import BEHIND, FAMILIES
from speechmlx.errors import BadAudio, Unsupported
from speechmlx.models.bridge.identify import identify, rate_of
from speechmlx.types import Enhance, Event, Speak, Usage


def heard(engine: Any, samples: np.ndarray, piece: int) -> list[Event]:
    return fed(engine.open(Enhance()), (samples[first : first + piece] for first in range(0, len(samples), piece)))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_stream_is_its_windows_without_their_edges(bridged: Load, name: str) -> None:
    """Each sample is that of a window that has an edge around it, but at the ends of the stream."""
    engine, family = bridged(f"sts/{name}"), FAMILIES[name]
    rate, model = engine.checkpoint.rate, engine.checkpoint.model
    size, edge = round(family.seconds * rate), round(family.edge * rate)
    samples = noise(2 * family.seconds - family.edge, 1, rate).samples
    events = heard(engine, samples, len(samples))
    assert events[-1] == Usage(audio_in=len(samples) / rate, audio_out=len(samples) / rate)
    assert heard(engine, samples, 7919) == events
    found, step = sound(events), size - 2 * edge
    assert len(found) == len(samples)
    expected = np.zeros(0, np.float32)
    for first in range(0, len(samples), step):
        window = samples[first : first + size]
        last = first + size > len(samples)
        padded = np.pad(window, (0, round(BEHIND * rate) * last))
        whole = np.array(family.enhance(model, mx.array(padded)), np.float32)
        expected = np.concatenate([expected, whole[edge * (first > 0) : len(window) if last else size - edge]])
        if last:
            break
    assert np.abs(found - np.clip(expected, -1, 1)).max() < 1e-3
    assert np.abs(found).max() > 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_short_empty_and_bad_streams(bridged: Load, name: str) -> None:
    engine = bridged(f"sts/{name}")
    assert heard(engine, np.zeros(0, np.float32), 1) == [Usage()]
    short = noise(0.01, 0, engine.checkpoint.rate).samples
    assert len(sound(heard(engine, short, 50))) == len(short)
    stream = engine.open(Enhance())
    for bad in (np.array([0.0, np.nan], np.float32), np.zeros((2, 2), np.float32)):
        with pytest.raises(BadAudio, match="one channel of finite samples"):
            list(stream.feed(bad))
    stream.close()
    with pytest.raises(Unsupported, match=f"{name} enhances speech; it cannot speak"):
        engine.open(Speak(text="x"))


def test_no_layer_of_mlx_is_changed(bridged: Load) -> None:
    before = nn.LayerNorm.__call__
    bridged("sts/mossformer2_se")
    assert nn.LayerNorm.__call__ is before and before.__module__.startswith("mlx.nn")


def test_a_configuration_without_a_type_is_known_by_its_sizes(tmp_path: Path) -> None:
    import json

    tiny_bridge.write("sts/mel_roformer", tmp_path / "any")
    config = json.loads((tmp_path / "any/config.json").read_text())
    family = identify(config, "someone/voices")
    assert (family.part, family.name, rate_of(family, config)) == ("sts", "mel_roformer", 2000)


def test_the_bands_of_a_spectrum_are_merged_as_the_package_does(bridged: Load) -> None:
    model = bridged("sts/mel_roformer").checkpoint.model
    split, width = model.band_split, 2 * (model.config.n_fft // 2 + 1)
    masks = [mx.random.normal((1, 5, size)) for size in split.filterbank.band_dims]
    found, own = split.merge(masks, width), type(split).merge(split, masks, width)
    assert found.shape == own.shape == (1, width, 5, 2) and mx.abs(found - own).max() < 1e-5
