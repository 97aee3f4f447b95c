"""Tiny synthesisers that write codes of sound. Their codecs' sizes are fixed in the package: here they are made small.

A builder does that for the process that it runs in, so the models that it makes can be loaded there alone.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from support.tiny_bridge.files import byte_tokenizer, save

from speechmlx.engines.mlx_audio import package

CODES = 16
"""Codes that Fish Drama 3 knows here."""


def fish_drama3(folder: Path) -> None:
    """The configuration and the tokenizer are those of the package's own test."""
    from mlx_audio.tts.tests.test_fish_drama3 import tiny_config, write_tokenizer

    module = package.family("tts", "fish_drama3")
    config = {**tiny_config(), "model_type": "fish_drama3", "sample_rate": 44100}
    del config["quantization_config"]
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))
    mx.eval(model.parameters())
    save(folder, config, model, 2)
    write_tokenizer(folder)
    _write_fish_codec(folder, CODES, CODES)


def fish_qwen3_omni(folder: Path) -> None:
    """Its tokenizer has the 4096 codes that the package asks for."""
    module = package.family("tts", "fish_qwen3_omni")
    codes = [f"<|semantic:{code}|>" for code in range(4096)]
    tokenizer = byte_tokenizer(folder, ("<|text|>", "<|voice|>", "<|interleave|>", "<|audio_pad|>", *codes))
    sizes = {"n_head": 2, "n_local_heads": 1, "head_dim": 16, "dim": 32, "intermediate_size": 64}
    config: dict[str, Any] = {
        "model_type": "fish_qwen3_omni", "sample_rate": 44100,
        "pad_token_id": tokenizer.token_to_id("<|endoftext|>"),
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
        "audio_pad_token_id": tokenizer.token_to_id("<|audio_pad|>"),
        "semantic_start_token_id": tokenizer.token_to_id(codes[0]),
        "semantic_end_token_id": tokenizer.token_to_id(codes[-1]),
        "text_config": {**sizes, "n_layer": 2, "vocab_size": tokenizer.get_vocab_size(), "max_seq_len": 1024},
        "audio_decoder_config": {**sizes, "n_layer": 1, "vocab_size": 4096, "num_codebooks": 3, "text_dim": 32},
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))), 2)
    _write_fish_codec(folder, 4096, 4096)


def _fish_codec(semantic: int, residual: int, **config: Any) -> Any:
    from mlx_audio.codec.models.fish_s1_dac import fish_s1_dac as codec

    sizes = codec.ModelArgs(
        block_size=64, n_layer=2, n_head=2, dim=16, intermediate_size=32, head_dim=8
    )  # fmt: skip
    quantizer = codec.DownsampleResidualVectorQuantize(
        input_dim=16, n_codebooks=2, codebook_dim=4, codebook_size=residual, semantic_codebook_size=semantic,
        downsample_factor=(2,), pre_module=codec.Identity(),
        post_module=codec.WindowLimitedTransformer(causal=True, window_size=4, input_dim=16, config=sizes),
    )  # fmt: skip
    return codec.DAC(
        encoder_dim=4, encoder_rates=[2, 2], latent_dim=16, decoder_dim=16, decoder_rates=[8, 4], quantizer=quantizer,
        sample_rate=44100, causal=True, encoder_transformer_layers=[0, 0], decoder_transformer_layers=[0, 0],
        transformer_general_config=lambda **sizes: None,
    )  # fmt: skip


def _write_fish_codec(folder: Path, semantic: int, residual: int) -> None:
    from mlx_audio.codec.models.fish_s1_dac import fish_s1_dac as codec

    codec.build_ae = partial(_fish_codec, semantic, residual)
    weights = {name: 2 * array for name, array in tree_flatten(codec.build_ae().parameters())}
    mx.save_safetensors(str(folder / "codec.safetensors"), weights)


def omnivoice(folder: Path) -> None:
    """With the published names of its weights."""
    module = package.family("tts", "omnivoice")
    tokenizer = byte_tokenizer(folder, OMNIVOICE)
    config: dict[str, Any] = {
        "model_type": "omnivoice", "sample_rate": 24000,
        "llm_config": {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
            "intermediate_size": 64, "vocab_size": tokenizer.get_vocab_size(), "head_dim": 16,
        },
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))
    save(folder, config, model)
    stored: dict[str, mx.array] = {}
    for name, array in tree_flatten(model.parameters()):
        whole, _, rest = name.partition(".")
        if whole in ("audio_embeddings", "audio_heads"):
            before = stored.get(f"{whole}.weight")
            stored[f"{whole}.weight"] = 4 * array if before is None else mx.concatenate([before, 4 * array])
        else:
            stored[f"llm.{rest}"] = 4 * array
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
    _write_higgs_codec(folder / "audio_tokenizer")


OMNIVOICE = (
    "<|denoise|>", "<|lang_start|>", "<|lang_end|>", "<|instruct_start|>", "<|instruct_end|>", "<|text_start|>",
    "<|text_end|>",
)  # fmt: skip


def higgs_audio_v3(folder: Path) -> None:
    """With the published names of its weights."""
    module = package.family("tts", "higgs_audio_v3")
    tokenizer = byte_tokenizer(folder, ("<|tts|>", "<|ref_audio|>", "<|text|>", "<|audio|>", "<|ref_text|>"))
    config: dict[str, Any] = {
        "model_type": "higgs_audio_v3", "sample_rate": 24000,
        "audio_encoder_config": {"num_codebooks": 8, "vocab_size": 1026},
        "text_config": {
            "hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "num_attention_heads": 2,
            "num_key_value_heads": 1, "max_position_embeddings": 512, "head_dim": 16,
            "vocab_size": tokenizer.get_vocab_size(),
        },
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))
    save(folder, config, model)
    published = {
        "backbone.embed_tokens.": "tied.embedding.text_embedding.", "backbone.layers.": "body.layers.",
        "backbone.norm.": "body.norm.", "multimodal_embedding.": "tied.embedding.modality_embeddings.0.embedding.",
    }  # fmt: skip
    stored = {}
    for name, array in tree_flatten(model.parameters()):
        own = next(own for own in published if name.startswith(own))
        stored[published[own] + name.removeprefix(own)] = 4 * array
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
    _write_higgs_codec(folder / "audio_tokenizer")


class _SmallEncoder(nn.Module):  # type: ignore[misc]
    """Sound [B, n, 1] to frames [B, n / 960, 256]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, 256, kernel_size=960, stride=960)

    def __call__(self, sound: mx.array) -> mx.array:
        return self.conv1(sound)


class _SmallDecoder(nn.Module):  # type: ignore[misc]
    """Frames [B, n, 256] to sound [B, 960 n, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(256, 960, kernel_size=3, padding=1)

    def __call__(self, frames: mx.array) -> mx.array:
        return mx.tanh(self.conv1(frames)).reshape(frames.shape[0], -1, 1)


def _write_higgs_codec(folder: Path) -> None:
    """Its parts before and behind the codes are a layer each; what hears the words of a recording is small."""
    from mlx_audio.codec.models.higgs_audio import higgs_audio as codec

    codec.AcousticEncoder, codec.AcousticDecoder = _SmallEncoder, _SmallDecoder
    config = {"semantic_model_config": None}
    made = codec.HiggsAudioTokenizer(codec.HiggsAudioConfig.from_dict(config))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    swapped = (".conv1.weight",)
    stored = {  # published in another order of axes
        name: 4 * (array.swapaxes(1, 2) if name.endswith(swapped) else array)
        for name, array in tree_flatten(made.parameters())
    }
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
