"""Tiny recognisers that a language model or a beam of a decoder writes for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from support.tiny_bridge.files import byte_tokenizer, save, sentence_pieces

from speechmlx.engines.mlx_audio import package

QWEN3 = {
    "model_type": "qwen3", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "tie_word_embeddings": True,
}  # fmt: skip
FEATURES = {
    "feature_extractor_type": "WhisperFeatureExtractor", "sampling_rate": 16000, "hop_length": 160, "chunk_length": 4,
    "n_fft": 400,
}  # fmt: skip
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)


def mms(folder: Path) -> None:
    module = package.family("stt", "mms")
    config: dict[str, Any] = {
        "model_type": "wav2vec2", "vocab_size": 32, "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "intermediate_size": 64, "conv_dim": [16] * 7, "feat_extract_norm": "layer",
        "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "do_stable_layer_norm": True,
        "adapter_attn_dim": 4, "conv_bias": True,
    }  # fmt: skip
    model = module.Model(dict(config))
    save(folder, {**config, "model_type": "mms"}, model)
    swapped = (".conv.weight", ".conv.weight_v", ".conv.weight_g")
    stored = {  # published in another order of axes
        name: array.swapaxes(1, 2) if name.endswith(swapped) else array
        for name, array in tree_flatten(model.parameters())
    }
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]
    (folder / "vocab.json").write_text(json.dumps({"eng": {letter: n for n, letter in enumerate(letters)}}))


def fireredasr2(folder: Path) -> None:
    module = package.family("stt", "fireredasr2")
    config: dict[str, Any] = {
        "model_type": "fireredasr2", "idim": 80, "odim": 40, "d_model": 32,
        "encoder": {"n_layers": 2, "n_head": 2, "d_model": 32, "kernel_size": 5},
        "decoder": {"n_layers": 2, "n_head": 2, "d_model": 32, "pe_maxlen": 500},
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))
    save(folder, config, model)
    stored = {}
    for name, array in tree_flatten(model.parameters()):  # published in another order of axes
        if array.ndim == 3 and "conv" in name and name.endswith("weight"):
            array = array.transpose(0, 2, 1)
        elif array.ndim == 4:
            array = array.transpose(0, 3, 1, 2)
        stored[name] = array
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
    words = ["<blank>", "<unk>", "<pad>", "<sos>", "<eos>", *(f"▁w{place}" for place in range(35))]
    (folder / "dict.txt").write_text("\n".join(f"{word} {place}" for place, word in enumerate(words)))
    (folder / "cmvn.json").write_text(json.dumps({"means": [10.0] * 80, "istd": [0.25] * 80}))


def glmasr(folder: Path) -> None:
    module = package.family("stt", "glmasr")
    tokenizer = byte_tokenizer(folder, ("<|user|>", "<|assistant|>", "<|begin_of_audio|>", "<|end_of_audio|>"))
    config: dict[str, Any] = {
        "model_type": "glmasr",
        "whisper_config": {
            "d_model": 32, "encoder_attention_heads": 2, "encoder_ffn_dim": 64, "encoder_layers": 2,
            "num_mel_bins": 128, "max_source_positions": 1500,
        },
        "lm_config": {
            "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
            "eos_token_id": [tokenizer.token_to_id("<|im_end|>")],
        },
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))), 2)


def qwen2_audio(folder: Path) -> None:
    module = package.family("stt", "qwen2_audio")
    tokenizer = byte_tokenizer(folder, ("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"))
    config: dict[str, Any] = {
        "model_type": "qwen2_audio",
        "audio_config": {
            "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 64,
            "num_mel_bins": 128, "max_source_positions": 200,
        },
        "text_config": {
            "model_type": "qwen2", "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 32,
            "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
        },
        "audio_token_id": tokenizer.token_to_id("<|AUDIO|>"),
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))
    save(folder, config, model)
    stored = {  # published in another order of axes
        name: 2 * (array.transpose(0, 2, 1) if array.ndim == 3 else array)
        for name, array in tree_flatten(model.parameters())
    }
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
    features = {**FEATURES, "feature_size": 128, "processor_class": "Qwen2AudioProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(features))
    _chat(folder)


def _chat(folder: Path, **more: Any) -> None:
    """Write into the tokenizer's settings how a conversation is written down."""
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": TEMPLATE, **more}))


def cohere_asr(folder: Path) -> None:
    module = package.family("stt", "cohere_asr")
    config: dict[str, Any] = {
        "model_type": "cohere_asr", "vocab_size": 64,
        "encoder": {
            "feat_in": 16, "n_layers": 2, "d_model": 32, "n_heads": 2, "ff_expansion_factor": 2,
            "conv_kernel_size": 3, "subsampling_conv_channels": 8, "pos_emb_max_len": 200,
        },
        "transf_decoder": {"config_dict": {
            "hidden_size": 32, "inner_size": 64, "num_attention_heads": 2, "num_layers": 2,
        }},
        "head": {"hidden_size": 32, "num_classes": 64},
        "preprocessor": {"features": 16},
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))), 2)
    special = (
        "<pad>", "<|endoftext|>", "<|startoftranscript|>", "<|pnc|>", "<|nopnc|>", "<|startofcontext|>",
        "<|emo:undefined|>", "<|noitn|>", "<|notimestamp|>", "<|nodiarize|>", "<|en|>", "<|de|>",
    )  # fmt: skip
    sentence_pieces(folder / "tokenizer.model", special, 64)


def fun_asr_nano(folder: Path) -> None:
    module = package.family("stt", "fun_asr_nano")
    tokenizer = byte_tokenizer(folder / "Qwen3-0.6B", ())
    config: dict[str, Any] = {
        "model_type": "fun_asr_nano",
        "audio_encoder_conf": {
            "output_size": 32, "attention_heads": 2, "linear_units": 64, "num_blocks": 2, "tp_blocks": 1,
            "kernel_size": 5,
        },
        "audio_adaptor_conf": {"ffn_dim": 64, "llm_dim": 32, "encoder_dim": 32, "n_layer": 1, "attention_heads": 2},
        "text_config": {**QWEN3, "vocab_size": tokenizer.get_vocab_size()},
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))), 2)


def granite_speech(folder: Path) -> None:
    module = package.family("stt", "granite_speech")
    tokenizer = byte_tokenizer(folder, ("<|audio|>",))
    config: dict[str, Any] = {
        "model_type": "granite_speech",
        "encoder_config": {
            "input_dim": 160, "num_layers": 2, "hidden_dim": 32, "feedforward_mult": 2, "num_heads": 2,
            "dim_head": 16, "output_dim": 8, "context_size": 20, "max_pos_emb": 32, "conv_kernel_size": 3,
        },
        "projector_config": {
            "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
            "encoder_hidden_size": 32,
        },
        "text_config": {
            "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
        },
        "audio_token_index": tokenizer.token_to_id("<|audio|>"),
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))), 2)


def moss_transcribe_diarize(folder: Path) -> None:
    module = package.family("stt", "moss_transcribe_diarize")
    tokenizer = byte_tokenizer(folder, ("<|audio_start|>", "<|audio_end|>", "<|audio_pad|>"))
    config: dict[str, Any] = {
        "model_type": "moss_transcribe_diarize",
        "audio_config": {
            "num_mel_bins": 80, "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2,
            "encoder_ffn_dim": 64, "max_source_positions": 200,
        },
        "text_config": {**QWEN3, "vocab_size": tokenizer.get_vocab_size()},
        "audio_token_id": tokenizer.token_to_id("<|audio_pad|>"),
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))), 2)
    (folder / "preprocessor_config.json").write_text(json.dumps({**FEATURES, "feature_size": 80}))
    audio = "<|im_start|>user\n<|audio_start|><|audio_pad|><|audio_end|>{{ messages[0]['content'][1]['text'] }}"
    _chat(folder, chat_template=audio + "<|im_end|>\n<|im_start|>assistant\n")


def granite_speech_nar(folder: Path) -> None:
    module = package.family("stt", "granite_speech_nar")
    size = byte_tokenizer(folder, ()).get_vocab_size()
    config: dict[str, Any] = {
        "model_type": "granite_speech_nar",
        "encoder_config": {
            "num_layers": 2, "hidden_dim": 32, "num_heads": 2, "dim_head": 16, "input_dim": 160, "output_dim": 8,
            "bpe_output_dim": size, "bpe_pooling_window": 4, "conv_kernel_size": 3, "conv_expansion_factor": 2,
            "feedforward_mult": 2, "max_pos_emb": 32, "context_size": 20, "self_conditioning_layer": 1,
            "blank_token_id": 0, "dropout": 0.0, "pred_dropout": 0.0, "initializer_range": 0.02,
        },
        "projector_config": {
            "num_layers": 1, "num_encoder_layers": 2, "hidden_size": 32, "num_heads": 2, "block_size": 15,
            "downsample_rate": 5, "encoder_dim": 32, "llm_dim": 32, "mlp_ratio": 2, "mlp_bias": True,
            "attn_bias": True, "dropout_prob": 0.0, "layernorm_eps": 1e-6,
        },
        "text_config": {
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "vocab_size": size, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
            "rope_parameters": {"rope_theta": 1e4}, "tie_word_embeddings": True, "attention_multiplier": 0.25,
            "embedding_multiplier": 12.0, "logits_scaling": 8.0, "residual_multiplier": 0.22,
            "bos_token_id": 256, "eos_token_id": 256, "pad_token_id": 256,
        },
        "encoder_layer_indices": [1, 2], "blank_token_id": 256, "scale_projected_embeddings": True,
        "min_edit_sequence_length": 8, "tie_word_embeddings": True,
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))), 2)
