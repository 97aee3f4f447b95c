"""Tiny recognisers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from support.tiny_bridge.files import byte_tokenizer, save, sentence_pieces

from speechmlx.engines.mlx_audio import package

WHISPER_FEATURES = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 128,
    "sampling_rate": 16000,
    "hop_length": 160,
    "chunk_length": 30,
    "n_fft": 400,
    "padding_value": 0.0,
    "return_attention_mask": True,
}


def parakeet(folder: Path) -> None:
    module = package.family("stt", "parakeet")
    vocabulary = ["<unk>", "▁a", "▁b", "c", "d", "e", ".", "f"]
    config: dict[str, Any] = {
        "target": "nemo.collections.asr.models.rnnt_bpe_models.EncDecRNNTBPEModel",
        "model_defaults": {"tdt_durations": [0, 1, 2, 3, 4]},
        "preprocessor": {
            "sample_rate": 16000, "normalize": "per_feature", "window_size": 0.025, "window_stride": 0.01,
            "window": "hann", "features": 80, "n_fft": 512, "dither": 1e-5,
        },
        "encoder": {
            "feat_in": 80, "n_layers": 2, "d_model": 32, "n_heads": 2, "ff_expansion_factor": 2,
            "subsampling_factor": 8, "self_attention_model": "rel_pos", "subsampling": "dw_striding",
            "conv_kernel_size": 9, "subsampling_conv_channels": 8, "pos_emb_max_len": 500, "use_bias": False,
            "xscaling": False,
        },
        "decoder": {
            "blank_as_pad": True, "vocab_size": len(vocabulary),
            "prednet": {"pred_hidden": 16, "pred_rnn_layers": 1},
        },
        "joint": {
            "num_classes": len(vocabulary), "vocabulary": vocabulary, "num_extra_outputs": 5,
            "jointnet": {"joint_hidden": 16, "activation": "relu", "encoder_hidden": 32, "pred_hidden": 16},
        },
        "decoding": {"model_type": "tdt", "durations": [0, 1, 2, 3, 4], "greedy": {"max_symbols": 10}},
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))))


def nemotron_asr(folder: Path) -> None:
    module = package.family("stt", "nemotron_asr")
    vocabulary = ["<unk>", "<en-US>", "▁one", "▁two", ".", "d", "e", "f"]
    config: dict[str, Any] = {
        "model_type": "nemotron_asr",
        "preprocessor": {"features": 80, "n_fft": 512, "normalize": "NA"},
        "encoder": {
            "feat_in": 80, "n_layers": 2, "d_model": 32, "n_heads": 2, "ff_expansion_factor": 2,
            "subsampling_factor": 8, "subsampling_conv_channels": 8, "conv_kernel_size": 9,
            "causal_downsampling": True, "conv_context_size": "causal", "conv_norm_type": "layer_norm",
            "att_context_style": "chunked_limited", "att_context_size": [[56, 13]], "pos_emb_max_len": 500,
            "use_bias": False,
        },
        "prompt": {"num_prompts": 4, "prompt_hidden": 16, "prompt_dictionary": {"en-US": 0, "auto": 1}},
        "decoder": {
            "pred_hidden": 16, "pred_rnn_layers": 2, "vocab_size": len(vocabulary), "blank_as_pad": True,
        },
        "joint": {
            "joint_hidden": 16, "activation": "relu", "encoder_hidden": 32, "pred_hidden": 16,
            "num_classes": len(vocabulary),
        },
        "vocabulary": vocabulary, "default_language": "auto", "default_att_context_size": [56, 13],
        "max_symbols": 5,
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))
    save(folder, config, model)
    weights = {
        name: array if name.startswith("encoder.") else 4 * array  # else every frame says the same
        for name, array in tree_flatten(model.parameters())
    }
    mx.save_safetensors(str(folder / "model.safetensors"), weights)


def qwen3_asr(folder: Path) -> None:
    """It writes letters and blanks: others are less likely by their embeddings."""
    module, config = package.family("stt", "qwen3_asr"), _qwen3(folder)
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))._model
    _save_qwen3(folder, config, model)
    tokens = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    letters = [place for token, place in tokens.items() if token in "abcdefghijklmnopqrstuvwxyzĠ"]
    size = config["thinker_config"]["text_config"]["vocab_size"]
    likely = mx.where(mx.any(mx.arange(size)[:, None] == mx.array(letters), axis=1), 2.0, 1.0)
    weights = dict(tree_flatten(model.parameters()))
    weights["model.embed_tokens.weight"] *= likely[:, None]
    mx.save_safetensors(str(folder / "model.safetensors"), weights)


def qwen3_forced_aligner(folder: Path) -> None:
    """For up to 8 seconds."""
    module, config = package.family("stt", "qwen3_forced_aligner"), _qwen3(folder)
    del config["support_languages"]
    config["thinker_config"] |= {"model_type": "qwen3_forced_aligner", "classify_num": 100}
    config |= {"timestamp_token_id": config.pop("timestamp"), "timestamp_segment_time": 80}
    _save_qwen3(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))))


def _save_qwen3(folder: Path, config: dict[str, Any], model: Any) -> None:
    save(folder, config, model)
    (folder / "preprocessor_config.json").write_text(json.dumps(WHISPER_FEATURES))


def _qwen3(folder: Path) -> dict[str, Any]:
    """config.json of both families, whose tokenizer is written."""
    tokenizer = byte_tokenizer(
        folder, ("<|audio_start|>", "<|audio_end|>", "<|audio_pad|>", "<asr_text>", "<timestamp>")
    )
    return {
        "model_type": "qwen3_asr",
        "timestamp": tokenizer.token_to_id("<timestamp>"),
        "support_languages": ["English", "Chinese"],
        "thinker_config": {
            "audio_config": {
                "num_mel_bins": 128, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64,
                "d_model": 32, "n_window": 50, "output_dim": 48, "n_window_infer": 100, "conv_chunksize": 500,
                "downsample_hidden_size": 8,
            },
            "text_config": {
                "model_type": "qwen3", "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 48,
                "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
                "num_key_value_heads": 1, "head_dim": 16, "tie_word_embeddings": True,
            },
            "audio_token_id": tokenizer.token_to_id("<|audio_pad|>"),
            "audio_start_token_id": tokenizer.token_to_id("<|audio_start|>"),
            "audio_end_token_id": tokenizer.token_to_id("<|audio_end|>"),
        },
    }  # fmt: skip


def sensevoice(folder: Path) -> None:
    module = package.family("stt", "sensevoice")
    config = {
        "model_type": "sensevoice",
        "vocab_size": 64,
        "input_size": 560,
        "encoder_conf": {
            "output_size": 32, "attention_heads": 2, "linear_units": 64, "num_blocks": 2, "tp_blocks": 1,
            "kernel_size": 11, "sanm_shfit": 0,
        },
        "frontend_conf": {"fs": 16000, "n_mels": 80, "lfr_m": 7, "lfr_n": 6, "window": "hamming"},
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))
    save(folder, config, model)
    stored = {  # published in another order of axes
        name: array.transpose(0, 2, 1) if "fsmn_block.weight" in name else array
        for name, array in tree_flatten(model.parameters())
    }
    mx.save_safetensors(str(folder / "model.safetensors"), stored)
    (folder / "tokens.json").write_text(json.dumps(["<blank>", *(f"▁t{place}" for place in range(63))]))


def moonshine(folder: Path) -> None:
    module = package.family("stt", "moonshine")
    tokenizer = byte_tokenizer(folder, ())
    config: dict[str, Any] = {
        "model_type": "moonshine", "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 32,
        "intermediate_size": 64, "encoder_num_hidden_layers": 2, "decoder_num_hidden_layers": 2,
        "encoder_num_attention_heads": 4, "decoder_num_attention_heads": 4, "partial_rotary_factor": 0.5,
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(dict(config)))
    save(folder, config, model)
    stored = {  # published in another order of axes
        name: array.transpose(0, 2, 1) if "conv" in name and array.ndim == 3 else array
        for name, array in tree_flatten(model.parameters())
    }
    mx.save_safetensors(str(folder / "model.safetensors"), stored)


def granite_speech5_ctc(folder: Path) -> None:
    module = package.family("stt", "granite_speech5_ctc")
    tokenizer = byte_tokenizer(folder, ())
    encoder = {
        "vocab_size": tokenizer.get_vocab_size(), "hidden_size": 16, "intermediate_size": 32,
        "num_hidden_layers": 4, "num_attention_heads": 2, "num_key_value_heads": 2, "num_mel_bins": 4,
        "head_dim": 8, "max_position_embeddings": 16, "context_size": 8, "conv_kernel_size": 3,
        "conv_expansion_factor": 2, "subsample_layers": [0, 1],
    }  # fmt: skip
    config: dict[str, Any] = {
        "model_type": "granite_speech5_ctc",
        "vocab_size": encoder["vocab_size"],
        "encoder_config": encoder,
    }
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))))


def canary(folder: Path) -> None:
    module = package.family("stt", "canary")
    config: dict[str, Any] = {
        "model_type": "canary",
        "preprocessor": {"features": 16},
        "encoder": {
            "feat_in": 16, "n_layers": 2, "d_model": 32, "n_heads": 4, "ff_expansion_factor": 2,
            "subsampling_factor": 2, "self_attention_model": "rel_pos", "subsampling": "dw_striding",
            "conv_kernel_size": 3, "subsampling_conv_channels": 16, "pos_emb_max_len": 1024, "xscaling": True,
        },
        "transf_decoder": {"num_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "inner_size": 64},
        "vocab_size": 64,
        "enc_output_dim": 32,
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))))
    special = (
        "<|nospeech|>", "<pad>", "<|endoftext|>", "<|startoftranscript|>", "<|pnc|>", "<|nopnc|>",
        "<|startofcontext|>", "<|emo:undefined|>", "<|itn|>", "<|noitn|>", "<|timestamp|>", "<|notimestamp|>",
        "<|diarize|>", "<|nodiarize|>", "<|en|>", "<|de|>",
    )  # fmt: skip
    sentence_pieces(folder / "tokenizer.model", special, 64)


def voxtral_realtime(folder: Path) -> None:
    """60 MB: the width of the projection is fixed in the package."""
    module = package.family("stt", "voxtral_realtime")
    config: dict[str, Any] = {
        "model_type": "voxtral_realtime",
        "encoder_args": {
            "dim": 32, "n_layers": 2, "n_heads": 2, "head_dim": 16, "hidden_dim": 64, "n_kv_heads": 2,
            "sliding_window": 64, "downsample_factor": 4,
            "audio_encoding_args": {
                "sampling_rate": 16000, "frame_rate": 12.5, "num_mel_bins": 128, "hop_length": 160,
                "window_size": 400, "global_log_mel_max": 1.5,
            },
        },
        "decoder": {
            "dim": 3072, "n_layers": 1, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "hidden_dim": 64,
            "vocab_size": 1256, "sliding_window": 256, "ada_rms_norm_t_cond_dim": 8,
        },
        "transcription_delay_ms": 480, "n_left_pad_tokens": 32,
    }  # fmt: skip
    model = module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config))))
    save(folder, config, model)
    weights = dict(tree_flatten(model.parameters()))
    weights["encoder.audio_language_projection_2.weight"] *= 30  # else each token is the one before
    weights["decoder.tok_embeddings.weight"] *= mx.where(mx.arange(1256) < 1000, 0.8, 1.0)[:, None]  # else no letters
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    texts = [" " * (place % 3 == 0) + chr(ord("a") + place % 26) for place in range(256)]
    letters = [{"rank": n, "token_bytes": base64.b64encode(text.encode()).decode()} for n, text in enumerate(texts)]
    special = [{"rank": place, "token_str": str(place)} for place in range(40)]
    told = {"config": {"default_num_special_tokens": 1000}, "vocab": letters, "special_tokens": special}
    (folder / "tekken.json").write_text(json.dumps(told))
