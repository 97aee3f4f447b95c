"""Reference numbers for tests/engines/qwen3_tts: Qwen3-TTS's own talker at small random weights, and how it draws.

python -P scripts/parity/qwen3_tts_talker.py FOLDER_OF_QWEN3_TTS > tests/engines/data/qwen3_tts_talker.json
(needs torch, transformers 4.57.3 and a checkout of QwenLM/Qwen3-TTS, or the unpacked wheel of qwen-tts).
Weights come from their names, so none are stored. Each case is what a request says as token ids, and the frames that
come of it without chance: their codes, and the talker's states at some of them.
"""

import importlib
import importlib.machinery
import json
import sys
import types
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from support.absent_packages import AbsentPackage

FRAMES = 14
LETTERS = {"assistant\n": [201, 202], "user\n": [203, 202], "\n": [202]}
MARKS = {"im_start": 210, "im_end": 211, "tts_pad": 212, "tts_bos": 213, "tts_eos": 214}


def reference(folder: str) -> tuple[Any, Any]:
    for name in ("librosa", "librosa.filters", "soundfile", "torchaudio", "sox", "onnxruntime", "accelerate", "gradio"):
        absent = AbsentPackage(name)
        absent.__spec__ = importlib.machinery.ModuleSpec(name, None)
        absent.__path__ = []
        sys.modules[name] = absent
    for name in ("qwen_tts", "qwen_tts.core", "qwen_tts.core.models", "qwen_tts.inference"):
        module = types.ModuleType(name)
        module.__path__ = [f"{folder}/{name.replace('.', '/')}"]
        sys.modules[name] = module
    tokenizer = types.ModuleType("qwen_tts.inference.qwen3_tts_tokenizer")
    setattr(tokenizer, "Qwen3TTSTokenizer", object)  # noqa: B010
    sys.modules[tokenizer.__name__] = tokenizer
    config = importlib.import_module("qwen_tts.core.models.configuration_qwen3_tts")
    modeling = importlib.import_module("qwen_tts.core.models.modeling_qwen3_tts")
    return config.Qwen3TTSConfig, modeling.Qwen3TTSForConditionalGeneration


def config(kind: str, size: str) -> dict[str, Any]:
    """A checkpoint's config.json, with a predictor as wide as the talker ("0b6") or not ("1b7")."""
    wide = 32 if size == "0b6" else 48
    rope = {"interleaved": True, "mrope_section": [4, 2, 2], "rope_type": "default"}
    predictor = dict(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, num_code_groups=16, rope_theta=1000000, max_position_embeddings=64,
    )  # fmt: skip
    talker = dict(
        code_predictor_config=predictor, vocab_size=64 + 1024, hidden_size=wide, intermediate_size=64,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16, rope_scaling=rope,
        rope_theta=1000000, num_code_groups=16, text_hidden_size=40, text_vocab_size=220, codec_eos_token_id=70,
        codec_pad_id=71, codec_bos_id=72, codec_think_id=73, codec_nothink_id=74, codec_think_bos_id=75,
        codec_think_eos_id=76, codec_language_id={"english": 77, "chinese": 78, "sichuan_dialect": 79},
        spk_id={"vivian": 80, "eric": 81}, spk_is_dialect={"vivian": False, "eric": "sichuan_dialect"},
        max_position_embeddings=512,
    )  # fmt: skip
    speaker = dict(
        mel_dim=128, enc_dim=wide, enc_channels=[8, 8, 8, 8, 24], enc_attention_channels=8, enc_se_channels=8
    )
    return {
        "model_type": "qwen3_tts", "tts_model_type": kind, "tts_model_size": size, "talker_config": talker,
        "speaker_encoder_config": {**speaker, "enc_res2net_scale": 8}, "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        **{f"{name}_token_id": id for name, id in MARKS.items()},
    }  # fmt: skip


def weight(name: str, shape: tuple[int, ...]) -> Any:
    values = np.random.RandomState(crc32(name.encode())).standard_normal(shape)
    if len(shape) == 1:
        return 1 + 0.1 * values if "norm" in name else 0.1 * values
    return values * (0.7 if "embedding" in name else 1.5 / np.sqrt(shape[-1]))


def model(folder: str, kind: str, size: str) -> Any:
    config_class, model_class = reference(folder)
    made = model_class(config_class(**config(kind, size))).eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.startswith("talker."):
                values = weight(name.removeprefix("talker."), tuple(parameter.shape))
                parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    return made


def ids(text: str) -> list[int]:
    return LETTERS.get(text) or [ord(letter) % 200 for letter in text]


CASES: list[dict[str, Any]] = [
    {"kind": "custom_voice", "size": "0b6", "text": "Hello there.", "voice": "vivian", "language": "english"},
    {"kind": "custom_voice", "size": "1b7", "text": "It rains.", "voice": "vivian", "instruct": "Whisper this"},
    {"kind": "custom_voice", "size": "1b7", "text": "Dialect", "voice": "eric"},
    {"kind": "custom_voice", "size": "1b7", "text": "A longer text, beside.", "voice": "eric", "language": "english",
     "dual": True},
    {"kind": "voice_design", "size": "1b7", "text": "Who am I?", "instruct": "An old man", "language": "chinese"},
    {"kind": "base", "size": "0b6", "text": "My voice alone", "speaker": True, "dual": True},
    {"kind": "base", "size": "1b7", "text": "What I say now is longer than it", "speaker": True, "dual": True,
     "ref": "as before", "ref_frames": 5, "language": "english"},
    {"kind": "base", "size": "1b7", "text": "Short", "speaker": True, "dual": True, "ref": "said", "ref_frames": 25},
    {"kind": "base", "size": "1b7", "text": "All at once", "speaker": True, "ref": "said", "ref_frames": 7},
]  # fmt: skip


@torch.no_grad()
def run(folder: str, case: dict[str, Any]) -> dict[str, Any]:
    made = model(folder, case["kind"], case["size"])
    head, start = [MARKS["im_start"], *ids("assistant\n")], MARKS["im_start"]
    tail = [MARKS["im_end"], *ids("\n"), start, *ids("assistant\n")]
    row = lambda values: torch.tensor([values])  # noqa: E731
    instruct, more = case.get("instruct"), dict[str, Any]()
    if instruct:
        instruct = [start, *ids("user\n"), *ids(instruct), MARKS["im_end"], *ids("\n")]
        more["instruct_ids"] = [row(instruct)]
    if case.get("speaker"):
        random = np.random.RandomState(crc32(case["text"].encode()))
        vector = random.standard_normal(made.config.talker_config.hidden_size).astype(np.float32)
        frames = random.randint(0, 64, (case.get("ref_frames", 0), 16))
        in_context = "ref" in case
        more["voice_clone_prompt"] = {
            "ref_code": [torch.from_numpy(frames) if in_context else None],
            "ref_spk_embedding": [torch.from_numpy(vector)],
            "x_vector_only_mode": [not in_context], "icl_mode": [in_context],
        }  # fmt: skip
        if in_context:
            more["ref_ids"] = [row([*head, *ids(case["ref"]), MARKS["im_end"], *ids("\n")])]
    codes, states = made.generate(
        input_ids=[row([*head, *ids(case["text"]), *tail])], languages=[case.get("language", "auto")],
        speakers=[case.get("voice")], non_streaming_mode=not case.get("dual", False), max_new_tokens=FRAMES + 1,
        do_sample=False, subtalker_dosample=False, repetition_penalty=1.05, **more,
    )  # fmt: skip
    kept = [[round(value, 4) for value in state] for state in states[0][::4].tolist()]
    return {**case, "codes": codes[0].tolist(), "states": kept}


def drawn() -> list[dict[str, Any]]:
    """What is drawn from, and how likely, at given logits; chance comes after."""
    from transformers.generation import logits_process as process

    found = []
    for temperature, top_k, top_p, penalty in ((0.9, 50, 1.0, 1.05), (1.3, 8, 0.7, 1.0), (0.5, 1000, 0.9, 1.5)):
        logits = torch.from_numpy(np.random.RandomState(top_k).standard_normal((1, 200)).astype(np.float32) * 3)
        seen = torch.tensor([[3, 50, 120, 3]])
        chain = [
            process.RepetitionPenaltyLogitsProcessor(penalty), process.TemperatureLogitsWarper(temperature),
            process.TopKLogitsWarper(top_k), process.TopPLogitsWarper(top_p),
        ]  # fmt: skip
        scores: Any = logits
        for one in chain:
            scores = one(seen, scores)
        shares = torch.softmax(scores, -1)[0]
        kept = {int(place): round(float(shares[place]), 6) for place in torch.nonzero(shares)[:, 0]}
        asked = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "penalty": penalty}
        found.append({**asked, "seen": seen[0].tolist(), "shares": kept})
    return found


if __name__ == "__main__":
    torch.manual_seed(0)
    kinds = {(case["kind"], case["size"]) for case in CASES}
    configs = {f"{kind} {size}": config(kind, size) for kind, size in sorted(kinds)}
    json.dump(
        {"configs": configs, "cases": [run(sys.argv[1], case) for case in CASES], "draws": drawn()},
        sys.stdout,
        separators=(",", ":"),
    )
