from __future__ import annotations

from pathlib import Path

import pytest
from mlx_audio import registry

from speechmlx.models.bridge import families
from speechmlx.types import Kind

HOME = Path(registry.__file__).parent


def test_every_family_of_the_package_has_a_row() -> None:
    here = {
        (part, folder.name)
        for part in families.PARTS
        for folder in (HOME / part / "models").iterdir()
        if folder.is_dir() and not folder.name.startswith("__")
    }
    rows = [(family.part, family.name) for family in families.FAMILIES]
    assert sorted(rows) == sorted(here)
    assert set(registry.kinds()) - set(families.PARTS) == {"codec", "lm"}


@pytest.mark.parametrize("family", families.FAMILIES, ids=lambda family: f"{family.part}/{family.name}")
def test_a_family_runs_or_says_why_not(family: families.Family) -> None:
    if family.kind is None:
        assert family.reason and not family.works and not family.proof
    else:
        assert family.works in ("streams", "batch", "whole", "live") and not family.reason and family.kind in Kind


def test_second_downloads_are_left_out() -> None:
    """A family whose code names a repository for itself is not offered."""
    for family in families.offered():
        code = "".join(path.read_text() for path in (HOME / family.part / "models" / family.name).rglob("*.py"))
        assert "SNAC.from_pretrained(" not in code and 'DAC.from_pretrained("' not in code
