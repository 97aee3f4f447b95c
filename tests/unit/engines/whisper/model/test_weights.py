"""Sizes from config.json."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from support.small_whisper import network

from speechmlx.engines.whisper.model.weights import dims
from speechmlx.errors import ModelUnavailable


def test_sizes() -> None:
    assert dims({**asdict(network().dims), "other": 1}) == network().dims


def test_missing_sizes_are_named() -> None:
    config = asdict(network().dims)
    del config["n_mels"], config["n_vocab"]
    with pytest.raises(ModelUnavailable, match="it lacks n_mels, n_vocab"):
        dims(config)
