"""The row of Pocket TTS: its files, put together as a pull does it, load and speak; its sizes are those published."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from engines.mlx_audio.conftest import LoadFolder
from engines.mlx_audio.test_families import alone
from mlx.utils import tree_flatten
from support import tiny_bridge
from support.engine_runs import pcm
from support.tiny_bridge.files import save, sentence_pieces

from speechmlx.engines.mlx_audio import package
from speechmlx.models import store
from speechmlx.models.catalog import CATALOG
from speechmlx.models.rows.speaking import POCKET_VOICES
from speechmlx.models.spec import HubFiles
from speechmlx.types import NamedVoice, Speak, Usage

ROW = CATALOG.resolve("pocket-tts")
ELSEWHERE = "hf://kyutai/pocket-tts-without-voice-cloning/tokenizer.model@d4fdd22ae8c8e1cb3634e150ebeff1dab2d16df3"
PUBLISHED: dict[str, Any] = {
    "model_type": "pocket_tts",
    "flow_lm": {
        "dtype": "float32", "flow": {"depth": 6, "dim": 512},
        "transformer": {"d_model": 1024, "hidden_scale": 4, "max_period": 10000, "num_heads": 16, "num_layers": 6},
        "lookup_table": {"dim": 1024, "n_bins": 4000, "tokenizer": "sentencepiece", "tokenizer_path": ELSEWHERE},
    },
    "mimi": {
        "dtype": "float32", "sample_rate": 24000, "channels": 1, "frame_rate": 12.5,
        "seanet": {
            "dimension": 512, "channels": 1, "n_filters": 64, "n_residual_layers": 1, "ratios": [6, 5, 4],
            "kernel_size": 7, "residual_kernel_size": 3, "last_kernel_size": 3, "dilation_base": 2,
            "pad_mode": "constant", "compress": 2,
        },
        "transformer": {
            "d_model": 512, "num_heads": 8, "num_layers": 2, "layer_scale": 0.01, "context": 250,
            "dim_feedforward": 2048, "input_dimension": 512, "output_dimensions": [512],
        },
        "quantizer": {"dimension": 32, "output_dimension": 512},
    },
}  # fmt: skip
"""config.json of the repository, as far as it is known: the authors' own settings."""
TEXT = "Hello world."
VOICE = 4 * 125 * 1024
"""Bytes of a voice: 10 s in float32."""


def pieces(path: Path, size: int) -> Path:
    """A tokenizer of `size` pieces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sentence_pieces(path, [f"<{number}>" for number in range(size - 40)], size)
    return path


def test_the_row_has_the_published_sizes(tmp_path: Path) -> None:
    """No array is computed. mlx-audio 0.3.1, which wrote the repository, names the same 213 weights."""
    config = json.loads(json.dumps(PUBLISHED))
    config["flow_lm"]["lookup_table"]["tokenizer_path"] = str(pieces(tmp_path / "tokenizer.model", 4000))
    weights = dict(tree_flatten(package.family("tts", "pocket_tts").Model(config).parameters()))
    count = sum(array.size for array in weights.values())
    assert len(weights) == 213
    assert (ROW.memory, ROW.narrow) == (4 * count, 2 * count)
    assert abs(ROW.size - (2 * count + len(POCKET_VOICES) * VOICE)) < 1_000_000


def repository(folder: Path) -> None:
    """The files of the repository, with a small network, beside those that the row leaves out."""
    tiny_bridge.write("tts/pocket_tts", folder)
    module = package.family("tts", "pocket_tts")
    read = module.ModelConfig.from_dict({**json.loads((folder / "config.json").read_text()), "model_path": str(folder)})
    config = {**asdict(read), "model_type": "pocket_tts", "model_path": None, "tokenizer_name": None}
    table = config["flow_lm"]["lookup_table"] | {
        "n_bins": 64, "tokenizer": "sentencepiece", "tokenizer_path": str(pieces(folder / "a.model", 64))
    }  # fmt: skip
    config["flow_lm"]["lookup_table"] = table
    model = module.Model(config)
    model.speaker_proj_weight = mx.random.normal(model.speaker_proj_weight.shape)
    table["tokenizer_path"] = ELSEWHERE
    save(folder, {name: value for name, value in config.items() if value is not None}, model, 4)
    (folder / "embeddings").mkdir()
    for name in POCKET_VOICES:
        mx.save_safetensors(
            str(folder / f"embeddings/{name}.safetensors"), {"audio_prompt": mx.random.normal((1, 6, 8))}
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a pull makes of the row's files, and of no others."""
    repository(tmp_path / "all")
    pieces(tmp_path / "all" / "tokenizer.model", 64)
    made = tmp_path / "made"
    for source, target in ((ROW.sources[0], made), (ROW.companions[0].sources[0], made / ROW.companions[0].name)):
        assert isinstance(source, HubFiles)
        arrived = tmp_path / target.name / "arrived"
        for pattern in source.patterns:
            (arrived / pattern).parent.mkdir(parents=True, exist_ok=True)
            (arrived / pattern).write_bytes((tmp_path / "all" / pattern).read_bytes())
        target.mkdir(exist_ok=True)
        store._convert(source, arrived, target)
        if target == made:
            for path in arrived.rglob("*.*"):
                path.unlink()
    return made


def test_its_files_are_enough(folder: Path, load: LoadFolder) -> None:
    engine = load(folder)
    assert engine.voices == POCKET_VOICES == ROW.voices.names
    tokenizer = engine.checkpoint.model.flow_lm.conditioner.tokenizer
    assert type(tokenizer).__name__ == "SentencePieceTokenizer" and tokenizer.sp.vocab_size() == 64
    spoken = {
        name: pcm(engine.run(Speak(text=TEXT, voice=None if name is None else NamedVoice(name))))
        for name in (None, *POCKET_VOICES)
    }
    assert spoken[None] == spoken["alba"] and len(set(spoken.values())) == len(POCKET_VOICES)
    events = alone(engine.run(Speak(text=TEXT, voice=NamedVoice("Cosette"))))
    assert pcm(events) == spoken["cosette"] and isinstance(events[-1], Usage)


def test_names_of_other_services_stand_for_a_voice() -> None:
    assert ROW.voices.resolve("nova") == ROW.voices.resolve("aura-2-thalia-en") == NamedVoice("alba")
    assert ROW.voices.resolve("Marius") == NamedVoice("marius")
    assert ROW.voices.language("jean") == "en" and not ROW.limits_use
