"""The key of a model's folder. Another key makes every user fetch that model again: it may only change with what the
folder holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.tiny_model import row

from speechmlx.models import store
from speechmlx.models.spec import Companion, HubFiles, IndexFiles, LocalFiles, PackageFile, Source

HUB = HubFiles("owner/name", "abc", ("*.json",))
INDEX = IndexFiles((PackageFile("pack", "1.2", "weights.bin", "d" * 64, "to.bin"),), "module:function")
LOCAL = LocalFiles("/models/mine", "module:function", "12 1700000000")
COMPANION = Companion("vocoder", (HUB,))


@pytest.mark.parametrize(
    ("source", "companions", "key"),
    [
        (HUB, (), "05945783d9c897bd"),
        (INDEX, (), "9028c6d7c4217caa"),
        (LOCAL, (), "afe973068b21864f"),
        (HUB, (COMPANION,), "3de94bd59fbb1799"),
    ],
)
def test_keys_stay_as_they_are(source: Source, companions: tuple[Companion, ...], key: str) -> None:
    model = replace(row(HUB), sources=(source,), companions=companions)
    assert store._key(model, source)[:16] == key
