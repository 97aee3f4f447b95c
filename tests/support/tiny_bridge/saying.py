"""More tiny synthesisers: those that a language model and a decoder of its hidden states or patches make."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from support import tiny_qwen3_tts, tiny_tekken
from support.tiny_bridge.files import byte_tokenizer, save
from support.tiny_bridge.speaking import write_speech_tokenizer
from support.tiny_qwen3_tts_sizes import CODEC

from speechmlx.engines.mlx_audio import package


def soprano(folder: Path) -> None:
    """56 MB: the widths of the decoder are fixed in the package."""
    module = package.family("tts", "soprano")
    tokenizer = byte_tokenizer(folder, ("[STOP]", "[TEXT]", "[START]"))
    config: dict[str, Any] = {
        "model_type": "soprano", "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 32,
        "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 16, "rms_norm_eps": 1e-6, "rope_theta": 1e4, "max_position_embeddings": 512,
        "tie_word_embeddings": False,
    }  # fmt: skip
    made = module.ModelConfig.from_dict({**config, "model_path": str(folder)})
    save(folder, config, module.Model(made))


def voxcpm(folder: Path) -> None:
    module = package.family("tts", "voxcpm")
    size = byte_tokenizer(folder, ()).get_vocab_size()
    config = _patches(size) | {
        "model_type": "voxcpm",
        "audio_vae_config": {
            "encoder_dim": 8, "encoder_rates": [2, 2], "latent_dim": 16, "decoder_dim": 32, "decoder_rates": [4, 2],
        },
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelArgs.from_dict(json.loads(json.dumps(config)))))


def voxcpm2(folder: Path) -> None:
    module = package.family("tts", "voxcpm2")
    size = byte_tokenizer(folder, ()).get_vocab_size()
    config = _patches(size) | {
        "model_type": "voxcpm2",
        "audio_vae_config": {
            "encoder_dim": 8, "encoder_rates": [2, 2], "latent_dim": 16, "decoder_dim": 32, "decoder_rates": [4, 2],
        },
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelArgs.from_dict(json.loads(json.dumps(config)))))


def _patches(size: int) -> dict[str, Any]:
    """What the configurations of both families have in common."""
    return {
        "lm_config": {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
            "intermediate_size": 64, "vocab_size": size, "max_position_embeddings": 512,
            "rope_scaling": {"type": "longrope", "long_factor": [1.0] * 8, "short_factor": [1.0] * 8},
        },
        "encoder_config": {"hidden_dim": 32, "ffn_dim": 64, "num_heads": 2, "num_layers": 1},
        "dit_config": {"hidden_dim": 32, "ffn_dim": 64, "num_heads": 2, "num_layers": 1},
        "patch_size": 2, "feat_dim": 16, "scalar_quantization_latent_dim": 8, "residual_lm_num_layers": 1,
    }  # fmt: skip


def breeze_tts(folder: Path) -> None:
    """Its codec is Qwen3-TTS's, with the part that encodes."""
    module = package.family("tts", "breeze_tts")
    tokenizer = byte_tokenizer(folder, ())
    size = tokenizer.get_vocab_size()
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
    wide = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, **heads}
    config: dict[str, Any] = {
        "model_type": "breeze", **wide, "num_codebooks": 16, "vocab_size": 67, "text_vocab_size": size,
        "audio_token_id": size - 1, "audio_eos_token_id": size - 2, "codebook_pad_token_id": 66,
        "codec_config": {"sampling_rate": 24000, "codebook_size": 64},
        "text_encoder_config": {**wide, "num_hidden_layers": 1, "rms_norm_eps": 1e-6, "vocab_size": size},
        "depth_decoder_config": {
            **wide, "num_hidden_layers": 1, "rms_norm_eps": 1e-5, "num_codebooks": 16, "vocab_size": 67,
            "audio_embed_size": 32,
        },
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))
    model.depth_decoder.codebooks_head.weight = mx.random.normal(model.depth_decoder.codebooks_head.weight.shape)
    save(folder, config, model)
    codec = folder / "audio_tokenizer"
    write_speech_tokenizer(codec)
    encoder = {name: array for name, array in tiny_qwen3_tts.tensors("tiny").items() if name.startswith("encoder.")}
    mx.save_safetensors(str(codec / "encoder.safetensors"), encoder)
    about = json.loads((codec / "config.json").read_text())
    about["encoder_config"] = CODEC["encoder_config"]
    (codec / "config.json").write_text(json.dumps(about))


def voxtral_tts(folder: Path) -> None:
    """With three voices, of which the tokenizer knows one that is not there."""
    module = package.family("tts", "voxtral_tts")
    config: dict[str, Any] = {
        "model_type": "voxtral_tts", "dim": 32, "n_layers": 2, "head_dim": 16, "hidden_dim": 64, "n_heads": 2,
        "n_kv_heads": 1, "vocab_size": 512, "semantic_codebook_size": 60, "acoustic_dim": 32, "acoustic_n_layers": 1,
        "acoustic_head_dim": 16, "acoustic_hidden_dim": 64, "acoustic_n_heads": 2, "acoustic_n_kv_heads": 1,
        "tokenizer_dim": 32, "tokenizer_hidden_dim": 64, "tokenizer_n_heads": 2, "tokenizer_n_kv_heads": 2,
        "tokenizer_head_dim": 16, "tokenizer_semantic_dim": 16,
        "audio_token_id": tiny_tekken.MARKS.index("[AUDIO]"),
        "begin_audio_token_id": tiny_tekken.MARKS.index("[BEGIN_AUDIO]"),
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(config))
    save(folder, config, model)
    weights = dict(tree_flatten(model.parameters()))
    weights |= {name: mx.random.normal(array.shape) for name, array in weights.items() if "original1" in name}
    weights["audio_tokenizer.quantizer.semantic_codebook.embedding_sum"] = mx.random.normal((60, 16))
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    (folder / "tekken.json").write_text(json.dumps(tiny_tekken.tekken()))
    (folder / "voice_embedding").mkdir(exist_ok=True)
    for name, frames in list(tiny_tekken.VOICES.items())[:2]:
        mx.save_safetensors(
            str(folder / f"voice_embedding/{name}.safetensors"), {"embedding": mx.random.normal((frames, 32))}
        )
