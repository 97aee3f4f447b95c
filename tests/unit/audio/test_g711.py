"""G.711 against the levels that ITU-T G.711 gives, and against itself."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.audio import g711

LEVELS = {
    "ulaw": {0xFF: 0, 0x7F: 0, 0xFE: 8, 0x80: 32124, 0x00: -32124, 0xF0: 120, 0xEF: 132, 0x8F: 16764},
    "alaw": {0xD5: 8, 0x55: -8, 0xD4: 24, 0xAA: 32256, 0x2A: -32256, 0xC5: 264},
}


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_levels(law: g711.Law) -> None:
    codes = list(LEVELS[law])
    decoded = g711.decode(bytes(codes), law) * g711.SCALE
    assert decoded.tolist() == [LEVELS[law][code] for code in codes]


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_every_level_comes_back(law: g711.Law) -> None:
    codes = bytes(range(256))
    levels = g711.decode(codes, law)
    assert g711.decode(g711.encode(levels, law), law).tolist() == levels.tolist()


@pytest.mark.parametrize("law", ["ulaw", "alaw"])
def test_the_nearest_level(law: g711.Law) -> None:
    samples = np.linspace(-1.2, 1.2, 4001, dtype=np.float32)
    levels = g711.decode(bytes(range(256)), law)
    nearest = np.abs(levels[None] - samples[:, None]).min(axis=1)
    found = np.abs(g711.decode(g711.encode(samples, law), law) - samples)
    np.testing.assert_allclose(found, nearest, atol=1e-7)
