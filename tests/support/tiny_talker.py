"""Folders of tiny Qwen3-TTS models with random weights, laid out as mlx-community publishes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from support.talker_cases import filled
from support.tiny_qwen3_tts import tensors, write_codec
from support.tiny_qwen3_tts_sizes import SPEAKER
from tokenizers import pre_tokenizers

from speechmlx.engines.qwen3_tts.shape import read_shape
from speechmlx.engines.qwen3_tts.talker import Talker
from speechmlx.types import Speak

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
MARKS = {name: 256 + place for place, name in enumerate(("im_start", "im_end", "tts_pad", "tts_bos", "tts_eos"))}
FRAMES = 12
"""Of a part of a text, at most."""
STACK = {"num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}


def config(kind: str, size: str = "1b7", hidden: int = 20) -> dict[str, Any]:
    """A config.json. The width is that of the tiny speaker encoder's vectors; quantised weights need another one."""
    predictor = {
        **STACK,
        "num_hidden_layers": 1,
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_code_groups": 16,
    }
    talker = {
        **STACK,
        "code_predictor_config": predictor,
        "vocab_size": 64 + 1024,
        "hidden_size": hidden,
        "intermediate_size": 64,
        "rope_scaling": {"interleaved": True, "mrope_section": [4, 2, 2], "rope_type": "default"},
        "num_code_groups": 16,
        "text_hidden_size": 64,
        "text_vocab_size": 256 + len(MARKS),
        **{"codec_eos_token_id": 70, "codec_pad_id": 71, "codec_bos_id": 72, "codec_think_id": 73},
        **{"codec_nothink_id": 74, "codec_think_bos_id": 75, "codec_think_eos_id": 76},
        "codec_language_id": {"english": 77, "chinese": 78, "sichuan_dialect": 79},
        "spk_id": {} if kind != "custom_voice" else {"vivian": 80, "ryan": 81, "eric": 82},
        "spk_is_dialect": {} if kind != "custom_voice" else {"vivian": False, "eric": "sichuan_dialect"},
    }
    return {
        "model_type": "qwen3_tts",
        "tts_model_type": kind,
        "tts_model_size": size,
        "talker_config": talker,
        "speaker_encoder_config": SPEAKER,
        **{f"{name}_token_id": id for name, id in MARKS.items()},
    }


def write(
    folder: Path,
    kind: str,
    *,
    size: str = "1b7",
    bits: int = 0,
    dtype: mx.Dtype = mx.float32,
    said: dict[str, Any] | None = None,
) -> Path:
    """Write a model; `bits`: quantised as mlx-audio's converter does it. `said`: its config.json, if of other sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    said = said or config(kind, size, 64 if bits else 20)
    if bits:
        said["quantization"] = {"group_size": 32, "bits": bits}
    (folder / "config.json").write_text(json.dumps(said))
    (folder / "generation_config.json").write_text(json.dumps({"temperature": 0.9, "max_new_tokens": FRAMES}))
    (folder / "vocab.json").write_text(json.dumps({letter: place for place, letter in enumerate(LETTERS)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    talker = filled(Talker(read_shape(folder).shape))
    talker.set_dtype(dtype)
    if bits:
        nn.quantize(talker, 32, bits, class_predicate=lambda path, layer: _is_quantised(path, layer))
    weights = {f"talker.{name}": array for name, array in tree_flatten(talker.parameters())}
    if kind == "base":
        weights |= tensors("tiny speaker")
    mx.save_safetensors(str(folder / "model.safetensors"), weights)
    write_codec(folder / "speech_tokenizer")
    return folder


def _is_quantised(path: str, layer: nn.Module) -> bool:
    return hasattr(layer, "to_quantized") and not any(one in path for one in ("codec_embedding", "text_embedding"))


def frames(engine: Any) -> list[Any]:
    """The codes of the first frames of a text, without chance."""
    state, codes = engine.begin(Speak(text="Hello.", options={"max_tokens": 2, "temperature": 0})), list[Any]()
    take = engine.loop.take

    def kept(row: Any) -> Any:
        for frame in take(row):
            codes.append(frame.codes.tolist())
            yield frame

    with patch.object(engine.loop, "take", kept):
        while not state.finished:
            engine.step([state])
    engine.end(state)
    return codes
