"""A model of every engine of our own: a small one where there is one, else the real one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from support import (
    f5_model,
    funasr_models,
    melo_model,
    tiny_bridge,
    tiny_chattts,
    tiny_cosyvoice,
    tiny_cosyvoice_first,
    tiny_fishspeech,
    tiny_moshi,
    tiny_talker,
)
from support.small_chat_model import small_chat_model

from speechmlx.engines.cosyvoice.generation import THIRD
from speechmlx.engines.melotts.arpabet import PHONES
from speechmlx.models.convert import funasr

SYMBOLS = ("_", *sorted({phone for phones in PHONES.values() for phone in phones.split()}), *",.!?…", "UNK")
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "hello")
ModelFolder = Callable[[str], Path]
"""The folder of a catalog row."""
Write = Callable[[Path, ModelFolder], Path]
"""(an empty folder, model_folder) → the folder of a model."""


def _real(name: str) -> Write:
    return lambda _, real: real(name)


def _small(write: Callable[[Path], Path]) -> Write:
    return lambda folder, _: write(folder)


def _funasr(kind: str) -> Write:
    def write(folder: Path, real: ModelFolder) -> Path:
        model = folder / "model"
        shutil.copytree(real("fsmn-vad"), model / "vad")
        getattr(funasr, kind)(getattr(funasr_models, f"{kind}_files")(folder / "files"), model)
        if kind == "paraformer":
            (model / "punctuation").mkdir()
            funasr.punctuation(funasr_models.punctuation_files(folder / "words"), model / "punctuation")
        return model

    return write


EVERY_ENGINE: Mapping[str, tuple[str, Write]] = {
    "whisper": ("whisper", _real("whisper-tiny.en")),
    "kokoro": ("kokoro", _real("kokoro-82m")),
    "llm": ("llm", lambda folder, real: small_chat_model(real("smollm2-135m-instruct"), folder)),
    "llm 4 bits": ("llm", lambda folder, real: small_chat_model(real("smollm2-135m-instruct"), folder, bits=4)),
    "deepfilternet": ("deepfilternet", _real("deepfilternet3")),
    "silero": ("silero", _real("silero-vad")),
    "smart_turn": ("smart_turn", _real("smart-turn-v3")),
    "ecapa": ("ecapa", _real("ecapa-diarizer")),
    "fsmn_vad": ("fsmn_vad", _real("fsmn-vad")),
    "paraformer": ("paraformer", _funasr("paraformer")),
    "sensevoice": ("sensevoice", _funasr("sensevoice")),
    "melotts": ("melotts", _small(lambda folder: melo_model.write_model(folder, SYMBOLS, VOCABULARY))),
    "chattts": ("chattts", _small(tiny_chattts.write_folder)),
    "cosyvoice 1": ("cosyvoice", _small(tiny_cosyvoice_first.write_first)),
    "cosyvoice 1 sft": ("cosyvoice", _small(lambda at: tiny_cosyvoice_first.write_first(at, "cosyvoice1-sft"))),
    "cosyvoice 2": ("cosyvoice", _small(tiny_cosyvoice.write_folder)),
    "cosyvoice 3": ("cosyvoice", _small(lambda folder: tiny_cosyvoice.write_folder(folder, generation=THIRD))),
    "fishspeech": ("fishspeech", _small(tiny_fishspeech.write_model)),
    "f5": ("f5", _small(f5_model.write_model)),
    "qwen3_tts": ("qwen3_tts", _small(lambda folder: tiny_talker.write(folder, "base"))),
    "qwen3_tts 8 bits": ("qwen3_tts", _small(lambda folder: tiny_talker.write(folder, "custom_voice", bits=8))),
    "moshi": ("moshi", _small(lambda folder: tiny_moshi.wide_folder(folder, 16))),
    "moshi 4 bits": ("moshi", _small(lambda folder: tiny_moshi.wide_folder(folder, 4))),
    "higgs": ("mlx_audio", _small(lambda folder: tiny_bridge.write("tts/higgs_audio_v3", folder))),
    "mlx_audio": ("mlx_audio", _small(lambda folder: tiny_bridge.write("stt/parakeet", folder))),
}
"""By engine and kind of weights: the engine's module, and how its model is written."""
