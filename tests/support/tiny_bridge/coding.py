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
from tokenizers import Tokenizer, models, pre_tokenizers

from speechmlx.engines.mlx_audio import package

CODES = 16
"""Codes that Fish Drama 3 knows here."""


def fish_drama3(folder: Path) -> None:
    module = package.family("tts", "fish_drama3")
    special = ["[UNK]", "<|im_start|>", "<|im_end|>", "<|voice|>", *(f"<|speaker:{place}|>" for place in range(16))]
    codes = [f"<|semantic:{code}|>" for code in range(CODES)]
    words = {name: place for place, name in enumerate([*special, *codes])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([*special[1:], *codes])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    wide = {"head_dim": 64, "intermediate_size": 128}
    config: dict[str, Any] = {
        "model_type": "fish_drama3", "sample_rate": 44100, "speech_template_version": "reference-bracket-v1",
        "semantic_start_token_id": words[codes[0]], "semantic_end_token_id": words[codes[-1]],
        "eos_token_id": words["<|im_end|>"],
        "text_config": {
            **wide, "hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 2, "num_key_value_heads": 1,
            "rms_norm_eps": 1e-6, "vocab_size": 64, "max_position_embeddings": 1024, "linear_num_value_heads": 2,
            "linear_num_key_heads": 1, "linear_key_head_dim": 64, "linear_value_head_dim": 64,
            "linear_conv_kernel_dim": 4, "num_experts": 2, "num_experts_per_tok": 2, "moe_intermediate_size": 128,
            "shared_expert_intermediate_size": 128, "layer_types": ["linear_attention"] * 3 + ["full_attention"],
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e7, "partial_rotary_factor": 0.25},
            "attn_output_gate": True, "hidden_act": "silu", "layernorm_zero_centered_gamma": True,
            "rotary_interleaved": False, "shared_expert_gate": True, "use_qk_norm": True,
        },
        "audio_decoder_config": {
            **wide, "dim": 128, "n_head": 2, "n_local_heads": 1, "vocab_size": CODES, "num_codebooks": 3,
            "shared_enrichment_layers": 2, "vq_backbone_codebooks": 1,
        },
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))), 2)
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
    _write_higgs_codec(folder / "audio_tokenizer", HEARING)


HEARING = {
    "semantic_model_config": {
        "model_type": "hubert", "hidden_size": 768, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "conv_dim": [8] * 7, "num_conv_pos_embedding_groups": 96,
        "num_conv_pos_embeddings": 16,
    },
    "strides": [1], "block_dilations": [1], "channel_ratios": [1], "kernel_size": 1, "unit_kernel_size": 1,
}  # fmt: skip
"""What hears the words of a recording: as wide as the package asks for, and nothing else of it large."""


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


def _write_higgs_codec(folder: Path, hearing: dict[str, Any] | None = None) -> None:
    """Its parts before and behind the codes are a layer each; `hearing` hears the words of a recording."""
    from mlx_audio.codec.models.higgs_audio import higgs_audio as codec

    codec.AcousticEncoder, codec.AcousticDecoder = _SmallEncoder, _SmallDecoder
    config = hearing or {"semantic_model_config": None}
    made = codec.HiggsAudioTokenizer(codec.HiggsAudioConfig.from_dict(config))
    if hearing is not None:
        made._init_encode_modules()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    swapped = (".weight", ".weight_g", ".weight_v")
    stored = {  # published in another order of axes
        name: 4 * (array.swapaxes(1, 2) if array.ndim == 3 and name.endswith(swapped) else array)
        for name, array in tree_flatten(made.parameters())
    }
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
