"""Runs parts of CosyVoice, and compares what they give with the reference implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from numpy.typing import NDArray
from support import tiny_cosyvoice, tiny_cosyvoice_first
from support.engine_runs import pcm, run
from support.small_checkpoints import Shapes
from support.tiny_cosyvoice import DATA

from speechmlx.engines import LoadOptions, cosyvoice
from speechmlx.engines.cosyvoice.speech_model import SpeechPrompt
from speechmlx.engines.parts.tensors import Tensors
from speechmlx.types import Speak

REFERENCE = np.load(DATA / "cosyvoice2.npz")
EXACT = 1e-3


def tensors(part: str) -> Tensors:
    """The weights of a small part."""
    return Tensors({name: mx.array(tensor) for name, tensor in tiny_cosyvoice.part(part).items()})


def close(found: Any, name: str, tolerance: float = EXACT) -> None:
    """Compare with the reference implementation's numbers of a name."""
    wanted = REFERENCE[name]
    assert np.abs(wanted).max() > 10 * tolerance, f"{name} is too small to compare"
    np.testing.assert_allclose(np.array(found), wanted, atol=tolerance, rtol=tolerance, err_msg=name)


class Recorded(Mapping[str, mx.array]):
    """Weights that are never computed, and which of them a network asked for."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._shapes = shapes
        self.used: set[str] = set()

    @classmethod
    def of(cls, weights: Mapping[str, NDArray[Any]]) -> Recorded:
        return cls({name: tensor.shape for name, tensor in weights.items()})

    def __getitem__(self, name: str) -> mx.array:
        self.used.add(name)
        return mx.zeros(self._shapes[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def __contains__(self, name: object) -> bool:
        return name in self._shapes


def given(shapes: Shapes) -> dict[str, NDArray[Any]]:
    """Ones of published names and shapes; they take no memory."""
    return {name: np.broadcast_to(np.float16(1), tuple(shape)) for name, shape in shapes.items()}


def speak_in_narrow_types(folder: Path, loaded: Callable[..., Any], options: LoadOptions) -> None:
    """Small models of both kinds as `options` say: the language model alone is narrow, and they speak."""
    first = folder / "first"
    first.mkdir(parents=True)
    engine = loaded(cosyvoice.load(tiny_cosyvoice_first.write_first(first, "cosyvoice1-sft"), options))
    assert engine._model.given(SpeechPrompt((), (1,))).dtype == mx.float16
    assert pcm(run(engine, Speak(text="Hi"))[0])
    engine = loaded(cosyvoice.load(tiny_cosyvoice.write_folder(folder), options))
    assert {tensor.dtype for _, tensor in tree_flatten(engine._model.parameters())} == {mx.float16}
    (events,) = run(engine, Speak(text="Hi you"))
    assert len(pcm(events)) > 0.4 * 2 * 24_000
