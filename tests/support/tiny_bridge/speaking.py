"""Tiny synthesisers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from support.tiny_bridge.files import byte_tokenizer, save
from tokenizers import Tokenizer, models, pre_tokenizers

from speechmlx.engines.mlx_audio import package


def pocket_tts(folder: Path) -> None:
    from mlx_audio.tts.tests.test_pocket_tts import flat_config

    module = package.family("tts", "pocket_tts")
    words = ["[UNK]", "Hello", "world", ".", "!", "?", "test", "Another"]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config: dict[str, Any] = flat_config()
    config["mimi"] |= {"sample_rate": 24000, "frame_rate": 12.5, "ratios": [40, 24]}
    model = module.Model({**config, "model_path": str(folder)})
    model.speaker_proj_weight = mx.random.normal(model.speaker_proj_weight.shape)  # else recordings would not be heard
    save(folder, {**config, "model_type": "pocket_tts"}, model, 4)
    (folder / "voices").mkdir(exist_ok=True)
    for name in ("Freya", "Odin"):
        mx.save_safetensors(str(folder / f"voices/{name}.safetensors"), {"emb": mx.random.normal((1, 2, 8))})


def qwen3_tts(folder: Path) -> None:
    """With two speakers and two languages."""
    module = package.family("tts", "qwen3_tts")
    tokenizer = byte_tokenizer(folder, ("<tts_pad>", "<tts_text_bos>", "<tts_text_eod>"))
    config = {
        "model_type": "qwen3_tts", "tts_model_type": "custom_voice", "tts_model_size": "1b7",
        "talker_config": _talker(tokenizer.get_vocab_size()),
        "im_start_token_id": tokenizer.token_to_id("<|im_start|>"),
        "im_end_token_id": tokenizer.token_to_id("<|im_end|>"),
        "tts_pad_token_id": tokenizer.token_to_id("<tts_pad>"),
        "tts_bos_token_id": tokenizer.token_to_id("<tts_text_bos>"),
        "tts_eos_token_id": tokenizer.token_to_id("<tts_text_eod>"),
        "sample_rate": 24000,
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))))
    (folder / "generation_config.json").write_text(json.dumps({"temperature": 0.9, "top_k": 50, "max_new_tokens": 8}))
    write_speech_tokenizer(folder / "speech_tokenizer")


def _talker(vocabulary: int) -> dict[str, Any]:
    predictor = {
        "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "num_code_groups": 16,
    }  # fmt: skip
    return {
        "code_predictor_config": predictor, "vocab_size": 64 + 1024, "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
        "rope_scaling": {"interleaved": True, "mrope_section": [4, 2, 2], "rope_type": "default"},
        "num_code_groups": 16, "text_hidden_size": 48, "text_vocab_size": vocabulary, "codec_eos_token_id": 70,
        "codec_pad_id": 71, "codec_bos_id": 72, "codec_think_id": 73, "codec_nothink_id": 74,
        "codec_think_bos_id": 75, "codec_think_eos_id": 76, "codec_language_id": {"english": 77, "chinese": 78},
        "spk_id": {"vivian": 80, "ryan": 81}, "spk_is_dialect": {"vivian": False, "ryan": False},
    }  # fmt: skip


def write_speech_tokenizer(folder: Path) -> None:
    """The codec's decoder; a model without reference recordings needs no encoder."""
    from mlx_audio.tts.models.qwen3_tts.config import Qwen3TTSTokenizerConfig
    from mlx_audio.tts.models.qwen3_tts.speech_tokenizer import Qwen3TTSSpeechTokenizer

    folder.mkdir(exist_ok=True)
    decoder = {
        "latent_dim": 32, "codebook_dim": 160, "codebook_size": 64, "decoder_dim": 132, "hidden_size": 32,
        "intermediate_size": 64, "head_dim": 16, "num_attention_heads": 2, "num_hidden_layers": 2,
        "num_key_value_heads": 2, "num_quantizers": 16, "sliding_window": 8, "upsample_rates": [2],
        "upsampling_ratios": [2, 2], "vector_quantization_hidden_dimension": 160,
    }  # fmt: skip
    made = Qwen3TTSSpeechTokenizer(Qwen3TTSTokenizerConfig(encoder_config=None, decoder_config=dict(decoder)))
    config = {"model_type": "qwen3_tts_tokenizer_12hz", "decoder_config": decoder, "decode_upsample_rate": 8}
    (folder / "config.json").write_text(json.dumps(config))
    weights = {}
    for name, array in tree_flatten(made.parameters()):
        if book := re.fullmatch(r"(.*)\.codebook\.embed\.weight", name):
            weights[f"{book[1]}._codebook.embedding_sum"] = array
            weights[f"{book[1]}._codebook.cluster_usage"] = mx.ones((array.shape[0],))
        else:
            weights[name] = array
    mx.save_safetensors(str(folder / "model.safetensors"), weights)


def kitten_tts(folder: Path) -> None:
    """With two voices, one of them under another name too."""
    module = package.family("tts", "kitten_tts")
    albert = {
        "num_hidden_layers": 1, "num_attention_heads": 1, "hidden_size": 16, "intermediate_size": 32,
        "max_position_embeddings": 64, "embedding_size": 16, "inner_group_num": 1, "num_hidden_groups": 1,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    }  # fmt: skip
    vocoder = {
        "resblock_kernel_sizes": [3, 3], "upsample_rates": [2, 2], "upsample_initial_channel": 32,
        "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]], "upsample_kernel_sizes": [4, 4], "gen_istft_n_fft": 16,
        "gen_istft_hop_size": 4,
    }  # fmt: skip
    config: dict[str, Any] = {
        "model_type": "kitten_tts", "hidden_dim": 16, "max_conv_dim": 16, "max_dur": 10, "n_layer": 1, "n_mels": 80,
        "n_token": 178, "style_dim": 128, "text_encoder_kernel_size": 3, "asr_res_dim": 8, "decoder_out_dim": 32,
        "plbert": albert, "istftnet": vocoder, "voice_aliases": {"Bella": "expr-voice-2-f"},
    }  # fmt: skip
    save(folder, config, module.Model(module.ModelConfig.from_dict(json.loads(json.dumps(config)))), 0.1)
    styles = {name: np.array(mx.random.normal((50, 256))) for name in ("expr-voice-2-f", "expr-voice-5-m")}
    np.savez(folder / "voices.npz", allow_pickle=False, **styles)
