from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from engines.mlx_audio.conftest import LoadFolder
from engines.mlx_audio.test_families import alone, interleaved, noise
from support import tiny_bridge
from support.engine_runs import pcm

from speechmlx.engines.mlx_audio import cooperative, package, sinc_resampling
from speechmlx.engines.mlx_audio.sinc_resampling import sinc_resample
from speechmlx.types import Chunk, ReferenceVoice, Speak


@pytest.fixture(scope="module")
def theirs() -> Any:
    """The package's own function, also where a model that was loaded before has ours."""
    package.family("tts", "omnivoice")
    from mlx_audio.codec.models.higgs_audio import higgs_audio

    found = spec_from_file_location("mlx_audio.codec.models.higgs_audio.once_more", higgs_audio.__file__)
    assert found is not None and found.loader is not None
    fresh = module_from_spec(found)
    found.loader.exec_module(fresh)
    return np.errstate(invalid="ignore")(fresh._sinc_resample)


@pytest.mark.parametrize(
    ("source", "target"),
    [(24000, 16000), (44100, 24000), (16000, 24000), (48000, 16000), (22050, 24000), (8000, 24000)],
)
def test_sound_is_as_the_packages(theirs: Any, source: int, target: int) -> None:
    for count in (0, 1, 7, 1000, source, 2 * source + 321):
        samples = noise(count / source, count, source).samples
        found, expected = sinc_resample(samples, source, target), theirs(samples, source, target)
        assert found.shape == expected.shape and found.dtype == expected.dtype == np.float32
        assert np.abs(found - expected).max(initial=0.0) < 2e-7, "the rounding of float32: the samples reach 0.4"
    assert sinc_resample(samples, source, source) is samples


def resampled(count: int, found: list[Any]) -> Any:
    samples = noise(count, count, 24000).samples
    return cooperative.steps(lambda emit: found.append(sinc_resample(samples, 24000, 16000)), 0)


def test_a_step_has_a_second_at_most(every_layer: None) -> None:
    found: list[Any] = []
    assert list(resampled(9, found)) == [None] * 10
    both: list[Any] = []
    assert interleaved([resampled(9, both), resampled(4, both)]) == [[], []]
    assert np.array_equal(both[1], found[0]) and len(both[0]) == 64000
    job = resampled(9, found)
    next(job)
    job.close()
    assert len(found) == 1, "a job that is closed ends at its next second"


def hears(folder: Path) -> Path:
    """A tiny OmniVoice whose codec encodes recordings, too: the widths of what hears their words are fixed."""
    tiny_bridge.write("tts/omnivoice", folder)
    from mlx.utils import tree_flatten
    from mlx_audio.codec.models.higgs_audio import higgs_audio as codec

    small = {
        "conv_dim": [8] * 7, "hidden_size": 768, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 16,
    }  # fmt: skip
    made = codec.HiggsAudioTokenizer(codec.HiggsAudioConfig.from_dict({"semantic_model_config": small}))
    made._init_encode_modules()
    path = folder / "audio_tokenizer" / "model.safetensors"
    weights: dict[str, mx.array] = mx.load(str(path))  # type: ignore[assignment]
    for name, array in tree_flatten(made.parameters()):
        if name.startswith(("semantic_model.", "encoder_semantic.", "fc.")):
            is_conv = array.ndim == 3 and name.endswith((".weight", ".weight_g", ".weight_v"))
            weights[name] = array.swapaxes(1, 2) if is_conv else array
    mx.eval(weights)
    mx.save_safetensors(str(path), weights)
    (folder / "audio_tokenizer/config.json").write_text(json.dumps({"semantic_model_config": small}))
    return folder


def test_omnivoice_imitates_beside_others(
    load: LoadFolder, theirs: Any, tmp_path: Path, every_layer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlx_audio.codec.models.higgs_audio import higgs_audio

    calls: list[int] = []

    def counted(samples: Any, source: int, target: int) -> Any:
        calls.append(len(samples))
        return sinc_resample(samples, source, target)

    engine = load(hears(tmp_path / "model"))
    assert higgs_audio._sinc_resample is sinc_resample
    monkeypatch.setattr(higgs_audio, sinc_resampling.FUNCTION, counted)
    requests = [
        Speak(
            text="Hello world.",
            voice=ReferenceVoice(noise(seconds, 1, 24000), "Hello.", str(seconds)),
            options={"num_steps": 2, "duration_s": 0.4, "seed": seconds},
        )
        for seconds in (1, 2)
    ]
    lone = [alone(engine.run(request)) for request in requests]
    assert calls == [24000, 48000]
    assert interleaved([engine.run(request) for request in requests]) == lone
    assert all(isinstance(events[0], Chunk) for events in lone) and pcm(lone[0]) != pcm(lone[1])
    monkeypatch.setattr(higgs_audio, sinc_resampling.FUNCTION, theirs)
    assert pcm(engine.run(requests[0])) == pcm(lone[0])
