"""The networks of the live families at their published sizes: every weight of a checkpoint has its place, none is left.

No list of the weights of these repositories is public outside of the hub. The names here are those of the package's own
networks at the sizes of the published configurations, as its conversions write them, and their bytes are those that the
catalog knows of each repository. NAMES has those of the authors' own code, for three: scripts/parity/bridge_names.py.
No array is ever computed.
"""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten

from speechmlx.engines.mlx_audio import checkpoint, package
from speechmlx.models.catalog import CATALOG

CONFORMER = {
    "n_layers": 24, "d_model": 1024, "n_heads": 8, "ff_expansion_factor": 4, "subsampling_factor": 8, "feat_in": 128,
    "self_attention_model": "rel_pos", "subsampling": "dw_striding", "conv_kernel_size": 9,
    "subsampling_conv_channels": 256, "pos_emb_max_len": 5000, "use_bias": False, "xscaling": False,
}  # fmt: skip
PIECES = [f"p{place}" for place in range(8192)]
QWEN = {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 28}
HEARD = {
    "num_mel_bins": 128, "encoder_layers": 24, "encoder_attention_heads": 16, "encoder_ffn_dim": 4096, "d_model": 1024,
    "n_window": 50, "n_window_infer": 800, "conv_chunksize": 500, "downsample_hidden_size": 480,
}  # fmt: skip
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "parakeet-tdt-0.6b-v3": {
        "target": "nemo.collections.asr.models.rnnt_bpe_models.EncDecRNNTBPEModel",
        "model_defaults": {"tdt_durations": [0, 1, 2, 3, 4]},
        "preprocessor": {
            "sample_rate": 16000, "normalize": "per_feature", "window_size": 0.025, "window_stride": 0.01,
            "window": "hann", "features": 128, "n_fft": 512, "dither": 1e-5,
        },
        "encoder": CONFORMER,
        "decoder": {
            "blank_as_pad": True, "vocab_size": 8192, "prednet": {"pred_hidden": 640, "pred_rnn_layers": 2},
        },
        "joint": {
            "num_classes": 8192, "vocabulary": PIECES, "num_extra_outputs": 5,
            "jointnet": {"joint_hidden": 640, "activation": "relu", "encoder_hidden": 1024, "pred_hidden": 640},
        },
        "decoding": {"model_type": "tdt", "durations": [0, 1, 2, 3, 4], "greedy": {"max_symbols": 10}},
    },
    "nemotron-3.5-asr-streaming-0.6b": {
        "model_type": "nemotron_asr", "preprocessor": {}, "encoder": {}, "decoder": {}, "joint": {},
        "prompt": {"num_prompts": 128, "prompt_hidden": 2048, "prompt_dictionary": {"auto": 101}}, "vocabulary": PIECES,
    },
    "voxtral-mini-4b-realtime-4bit": {
        "model_type": "voxtral_realtime", "quantization": {"group_size": 64, "bits": 4},
    },
    "qwen3-asr-1.7b-8bit": {
        "model_type": "qwen3_asr", "quantization": {"group_size": 64, "bits": 8},
        "thinker_config": {
            "audio_config": {**HEARD, "output_dim": 2048},
            "text_config": {
                **QWEN, "model_type": "qwen3", "hidden_size": 2048, "intermediate_size": 6144, "vocab_size": 151936,
                "tie_word_embeddings": True,
            },
        },
    },
    "qwen3-forced-aligner-0.6b": {
        "model_type": "qwen3_asr", "timestamp_token_id": 151705, "timestamp_segment_time": 80,
        "thinker_config": {
            "model_type": "qwen3_forced_aligner", "classify_num": 5000,
            "audio_config": {**HEARD, "output_dim": 1024},
            "text_config": {
                **QWEN, "model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072, "vocab_size": 152064,
                "tie_word_embeddings": False,
            },
        },
    },
    "sortformer-4spk-v2.1": {
        "model_type": "sortformer", "fc_encoder_config": {"num_hidden_layers": 17, "num_mel_bins": 128},
        "tf_encoder_config": {"num_mel_bins": 128}, "modules_config": {"use_aosc": True},
        "processor_config": {"feature_size": 128},
    },
    "nemotron-3-diarization": {"model_type": "nemotron_diarization"},
}  # fmt: skip
"""By row: its config.json, as far as it is not the package's own default."""
NAMES = Path(__file__).parents[1] / "data" / "bridge_names.json.gz"
"""Names and shapes of weights, as the authors' code has them."""
WIDTHS = {"parakeet-tdt-0.6b-v3": mx.float32}
"""Rows whose weights are not of 16 bits."""


def network(name: str) -> tuple[Any, dict[str, Any], str]:
    """The network of a row without weights, its configuration and its family."""
    source = next(row for row in CATALOG.rows if row.name == name).sources[0]
    part, family = str(source.convert).rpartition(":")[2].split(".")
    config = json.loads(json.dumps(CONFIGS[name]))
    module = package.family(part, family)
    form = module.ModelConfig
    return module.Model(form.from_dict(dict(config))), config, family


def published(name: str) -> dict[str, mx.array]:
    """The weights of a row's repository: names, shapes and types of the package's conversion."""
    model, config, _ = network(name)
    if quantized := config.get("quantization"):
        says = getattr(model, "model_quant_predicate", lambda path, module: True)
        inner = getattr(model, "_model", model)
        nn.quantize(
            inner,
            **quantized,
            class_predicate=lambda path, module: (
                hasattr(module, "to_quantized") and module.weight.shape[-1] % 64 == 0 and says(path, module)
            ),
        )
    width = WIDTHS.get(name, mx.bfloat16)
    return {
        name: mx.zeros(array.shape, width if mx.issubdtype(array.dtype, mx.floating) else array.dtype)
        for name, array in tree_flatten(model.parameters())
    }


def taken(name: str, weights: dict[str, mx.array], caplog: pytest.LogCaptureFixture) -> None:
    """The loader finds a place for each of `weights` in the network of a row, and needs no other."""
    model, config, _ = network(name)
    given = model.sanitize(weights) if hasattr(model, "sanitize") else weights
    with caplog.at_level(logging.WARNING):
        checkpoint._fill(model, config, given)  # raises for one that is missing or of another shape
    assert not caplog.records, "none is left out"


@pytest.mark.parametrize("name", CONFIGS)
def test_every_weight_has_its_place(name: str, caplog: pytest.LogCaptureFixture) -> None:
    weights = published(name)
    size = sum(array.nbytes for array in weights.values())
    row = next(row for row in CATALOG.rows if row.name == name)
    rounded = row.size % 1000 == 0  # the others are the repository's, with its header and its tokenizer
    assert abs(row.size - size) < (row.size // 100 if rounded else 1_000_000)
    taken(name, weights, caplog)


def authors_names(name: str) -> dict[str, mx.array]:
    """The weights as the authors' code names them."""
    found = {}
    for pattern, numbers, shape in json.loads(gzip.decompress(NAMES.read_bytes()))[name]:
        for each in numbers:
            left = iter(each)
            full = ".".join(str(next(left)) if part == "#" else part for part in pattern.split("."))
            found[full] = mx.zeros(shape, mx.bfloat16)
    return found


@pytest.mark.parametrize(("name", "count"), [("qwen3-asr-1.7b-8bit", 708), ("qwen3-forced-aligner-0.6b", 708)])
def test_the_authors_names_have_their_places(name: str, count: int, caplog: pytest.LogCaptureFixture) -> None:
    weights = authors_names(name)
    assert len(weights) == count
    taken(name, weights, caplog)


def test_the_names_of_a_recogniser_in_the_layout_of_transformers(tmp_path: Path) -> None:
    """Its sizes are those of transformers' own configuration. The family's code refuses a weight without a place."""
    vocabulary = {f"p{place}": place for place in range(1024)}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    (tmp_path / "processor_config.json").write_text(json.dumps({"supported_num_lookahead_tokens": [0, 1, 6, 13]}))
    module = package.family("stt", "nemotron_asr")
    config = {
        "model_type": "nemotron_asr_streaming", "architectures": ["NemotronAsrStreamingForRNNT"],
        "model_path": str(tmp_path), "blank_token_id": 1024, "decoder_hidden_size": 640, "num_decoder_layers": 2,
        "hidden_act": "relu", "max_symbols_per_step": 10,
        "encoder_config": {
            "num_mel_bins": 80, "num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 8,
            "intermediate_size": 4096, "subsampling_factor": 8, "subsampling_conv_channels": 256, "conv_kernel_size": 9,
            "max_position_embeddings": 5000, "attention_bias": True, "scale_input": True, "sliding_window": 71,
            "default_num_lookahead_tokens": 13,
        },
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(config))
    weights = authors_names("nemotron-speech-streaming-en-0.6b")
    assert len(weights) == 915
    assert model.sanitize(weights).keys() == dict(tree_flatten(model.parameters())).keys()
