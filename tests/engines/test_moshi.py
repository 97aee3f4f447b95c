"""Moshi and PersonaPlex against their references, on small random weights (scripts/parity/moshi.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support import tiny_moshi
from support.engine_runs import result
from support.tiny_moshi import CONTEXT, DATA

from speechmlx.engines import LoadOptions, moshi
from speechmlx.engines.moshi.frame import MoshiFrames, MoshiSampling
from speechmlx.engines.moshi.network import MoshiNetwork
from speechmlx.engines.moshi.prompt import MoshiPrompt, MoshiVoice, columns, read_prompt
from speechmlx.engines.moshi.ring import MoshiRing
from speechmlx.engines.parts.mimi import Mimi

GREEDY = MoshiSampling(temperature=0.0, text_temperature=0.0)
ROLE = (5, 9, 30, 41, 7, 22, 13, 8)
FRAMES = 50


def noise(seed: int, frames: int) -> Any:
    """The sound that the references heard [frames, 1920]."""
    samples = 0.3 * np.random.RandomState(seed).standard_normal((1, 1, frames * 1920)).astype(np.float32)
    return samples.reshape(frames, 1920)


def codes(seed: int, *shape: int) -> Any:
    return np.random.RandomState(seed).randint(0, 2048, shape)


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("personaplex", "moshi"):
        with np.load(DATA / f"moshi_{name}.npz") as stored:
            found |= {f"{name}.{key}": stored[key] for key in stored}
    return found


@pytest.fixture(scope="module")
def models(
    loaded: Callable[..., Any], cold: LoadOptions, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, tuple[MoshiNetwork, Mimi, dict[str, MoshiVoice]]]:
    """The networks of depth 8 and 16 with the references' context, and their codec and voices."""
    found = dict[int, tuple[MoshiNetwork, Mimi, dict[str, MoshiVoice]]]()
    for depth in (8, 16):
        folder = tiny_moshi.folder(tmp_path_factory.mktemp(f"moshi-{depth}"), depth, CONTEXT)
        engine = loaded(moshi.load(folder, cold))
        found[depth] = (engine._step.network, engine._step.codec, engine._voices)
    return found


def test_forced_frames_are_read_as_by_the_reference(models: Any, reference: dict[str, Any]) -> None:
    """In pieces and one by one, past the end of the ring."""
    network = models[16][0]
    forced = codes(3, FRAMES, 16)
    rows = np.concatenate([forced[:, :1] % 48, forced[:, 8:], forced[:, :8]], axis=1).astype(np.int32)
    before = np.array([[48, *[2048] * 16]] * 2, np.int32)
    inputs, _, _ = columns(rows[1:], before)
    ring, found = MoshiRing(3, CONTEXT), []
    for start, count in ((0, 16), (16, 9), *((place, 1) for place in range(25, FRAMES - 1))):
        hidden = network.hear(network.embed(mx.array(inputs[None, start : start + count])), [ring])
        mx.eval(hidden, ring.arrays())
        found.append(np.array(hidden[0]))
    assert np.abs(np.concatenate(found) - reference["personaplex.forced"]).max() < 1e-3


def answered(models: Any, depth: int, prompt: MoshiPrompt, seed: int, device: str) -> tuple[list[int], Any]:
    """Text tokens and every 16th sample of what is said greedily while noise is heard."""
    network, codec, _ = models[depth]
    step = MoshiFrames(network, codec, GREEDY, device)
    read = result(read_prompt(network, codec, prompt))
    state, texts, sounds = step.start(read.tokens, read.forced, 0), [], []
    for frame in noise(seed, FRAMES):
        has_sound = read.ring.end > 0
        sound, text, state = step(mx.array(frame[None]), state, [read.ring], has_sound)
        mx.eval(sound, text, state, read.ring.arrays())
        if has_sound:
            texts.append(int(np.array(text)[0]))
            sounds.append(np.array(sound[0, ::16]))
    return texts, np.array(sounds)


@pytest.mark.parametrize("name", ["role", "recorded", "saved"])
def test_it_answers_as_the_reference(models: Any, reference: dict[str, Any], cold: LoadOptions, name: str) -> None:
    voice = models[16][2]["natf0"] if name == "saved" else None
    recording = noise(5, 12).reshape(-1) if name == "recorded" else None
    prompt = MoshiPrompt(voice, recording, ROLE, pauses=True)
    texts, sounds = answered(models, 16, prompt, 4 if name == "role" else 6, cold.device)
    assert texts == reference[f"personaplex.{name}.tokens"][:, 0].tolist()
    assert np.abs(sounds - reference[f"personaplex.{name}.sound"]).max() < 1e-3


def test_a_saved_voice_is_the_recording_it_was_made_of(reference: dict[str, Any]) -> None:
    assert np.array_equal(reference["personaplex.saved.tokens"], reference["personaplex.recorded.tokens"])


def test_a_model_without_prompts_answers_as_the_reference(
    models: Any, reference: dict[str, Any], cold: LoadOptions
) -> None:
    texts, sounds = answered(models, 8, MoshiPrompt(), 7, cold.device)
    assert texts == reference["moshi.tokens"][:, 0].tolist()
    assert np.abs(sounds - reference["moshi.sound"]).max() < 1e-3


def test_it_draws_of_the_likeliest_by_their_probabilities() -> None:
    logits = mx.array([[1.0, 0.0, -1.0, 3.0, 2.0]])
    counts = np.zeros(5)
    for seed in range(60):
        rows = mx.random.gumbel((50, 9), key=mx.random.key(seed))
        drawn = MoshiFrames._drawn(mx.repeat(logits, 50, axis=0), rows, 4, temperature=2.0, top_k=3)
        counts += np.bincount(np.array(drawn), minlength=5)
    expected = np.exp(np.array([1.0, 3.0, 2.0]) / 2)
    assert counts[[1, 2]].sum() == 0
    assert counts[[0, 3, 4]] / 3000 == pytest.approx(expected / expected.sum(), abs=0.04)


def test_a_ring_that_is_copied_goes_on_by_itself(models: Any) -> None:
    network = models[16][0]
    x = mx.array(np.random.RandomState(0).standard_normal((1, 12, 64)).astype(np.float32))
    ring = MoshiRing(3, CONTEXT)
    network.hear(x[:, :8], [ring])
    other = ring.copy()
    first = network.hear(x[:, 8:9], [ring])
    mx.eval(first, ring.arrays())
    network.hear(x[:, 10:11], [ring])
    mx.eval(ring.arrays())
    assert np.array_equal(np.array(network.hear(x[:, 8:9], [other])), np.array(first))
    assert (ring.end, other.end) == (10, 9)


def test_the_compiled_loop_over_codebooks_is_the_same(models: Any) -> None:
    """One graph with all draws, as a GPU has it. The codec is compiled there too: too slow to build here."""
    network, codec, _ = models[16]
    plain, compiled = (MoshiFrames(network, codec, MoshiSampling(), device) for device in ("cpu", "gpu"))
    tokens = mx.array(codes(8, 2, 17, 3) % 48)
    hidden = mx.array(np.random.RandomState(9).standard_normal((2, 1, 64)).astype(np.float32))
    given = hidden, tokens, tokens < 24, mx.stack([mx.random.key(1), mx.random.key(2)])
    expected, found = (one._predict(*given) for one in (plain, compiled))
    assert all(np.array_equal(np.array(one), np.array(other)) for one, other in zip(expected, found, strict=True))
