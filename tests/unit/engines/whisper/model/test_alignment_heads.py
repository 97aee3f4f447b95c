"""Where alignment heads come from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.small_whisper import network

from speechmlx.engines.whisper.model.alignment_heads import Heads, alignment_heads, known_heads

SMALL = network().dims
TINY = replace(SMALL, n_text_layer=4, n_text_head=6)


@pytest.mark.parametrize(
    ("sizes", "layers"), [((4, 6, 51864), [1, 2, 3]), ((32, 20, 51866), [7, 10, 12, 13, 16, 17, 19, 21, 24, 25])]
)
def test_known(sizes: tuple[int, int, int], layers: list[int]) -> None:
    heads = known_heads(*sizes)
    assert heads is not None and list(heads) == layers


def test_sizes_of_no_known_checkpoint() -> None:
    assert known_heads(5, 6, 51864) is None


@pytest.mark.parametrize(
    ("named", "heads"),
    [
        ([[1, 1], [0, 1], [1, 0]], {0: [1], 1: [0, 1]}),
        ([[9, 0], [1, 7], [1, 0]], {1: [0]}),  # a teacher's
        ([[9, 0]], {1: [0, 1]}),  # only a teacher's: the upper half
        (None, {1: [0, 1]}),
    ],
)
def test_heads_of_a_folder(tmp_path: Path, named: list[list[int]] | None, heads: Heads) -> None:
    if named is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps({"alignment_heads": named}))
    assert alignment_heads(tmp_path, SMALL) == heads


def test_a_folder_that_names_none_has_those_known_for_its_sizes(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text("{}")
    assert alignment_heads(tmp_path, TINY) == known_heads(4, 6, 51864)
