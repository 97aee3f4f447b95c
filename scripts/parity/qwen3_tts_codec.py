"""Reference numbers for tests/engines/test_qwen3_tts_codec.py: Qwen's implementation, small, with weights of names.

python -P scripts/parity/qwen3_tts_codec.py FOLDER (needs qwen-tts, torch, transformers 4.57.3, librosa).
Writes qwen3_tts_codec.npz: codes, the samples that the decoder makes of them, and what some of its parts compute; the
codes of a recording; the vector of its voice. And qwen3_tts_names.json.gz: names and shapes of all tensors, of the
small models and of the published ones.

transformers 4.57 gives its Mimi encoder no window but where flash attention runs, and transformers 5 does: `windowed`
is what 4.57.3 computes with the mask of transformers 5.
"""

from __future__ import annotations

import gzip
import importlib
import importlib.machinery
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.masking_utils import create_sliding_window_causal_mask
from transformers.models.mimi import modeling_mimi

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from support.named_weights import named_weight
from support.tiny_qwen3_tts_sizes import CODEC, SPEAKER, recording

FRAMES = 21
EVERY = 8
"""Of the samples, one in so many is stored."""
PUBLISHED = {  # the decoder's; the encoder has the sizes of Mimi
    "latent_dim": 1024,
    "codebook_dim": 512,
    "hidden_size": 512,
    "intermediate_size": 1024,
    "head_dim": 64,
}


class Absent(types.ModuleType):
    """What the package imports and this script does not need."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent(f"{self.__name__}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


def leave_out(*names: str) -> None:
    for name in names:
        module = Absent(name)
        module.__spec__, module.__path__ = importlib.machinery.ModuleSpec(name, None), []
        sys.modules[name] = module


leave_out("soundfile", "sox", "onnxruntime", "accelerate", "gradio")
leave_out("torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi")

tokenizer = importlib.import_module("qwen_tts.core.tokenizer_12hz.modeling_qwen3_tts_tokenizer_v2")
modeling = importlib.import_module("qwen_tts.core.models.modeling_qwen3_tts")


def named(model: Any, prefix: str = "") -> Any:
    """The model with weights of its names."""
    for name, tensor in model.state_dict().items():
        tensor.copy_(torch.from_numpy(named_weight(prefix + name, tuple(tensor.shape))))
    for module in model.modules():
        if hasattr(module, "_embed"):  # computed from the weights it had before
            module._embed = None
    return model.eval()


def decoded(model: Any) -> dict[str, np.ndarray]:
    config = CODEC["decoder_config"]
    codes = np.random.RandomState(1).randint(0, config["codebook_size"], (2, config["num_quantizers"], FRAMES))
    codes[0, :, 5:9] = 0  # a code like any other
    decoder = model.decoder
    summed = decoder.quantizer.decode(torch.from_numpy(codes))
    entry = decoder.pre_conv(summed).transpose(1, 2)
    hidden = decoder.pre_transformer(inputs_embeds=entry).last_hidden_state
    upsampled = decoder.upsample[0][1](decoder.upsample[0][0](hidden.transpose(1, 2)))
    samples = decoder(torch.from_numpy(codes))[:, 0]
    print("samples: deviation", float(samples.std()), "clipped", float((samples.abs() == 1).float().mean()))
    return {
        "codes": codes.astype(np.int32),
        "dequantized": summed.transpose(1, 2).numpy(),
        "hidden": hidden.numpy(),
        "upsampled": upsampled.transpose(1, 2).numpy(),
        "samples": samples[:, ::EVERY].numpy(),
    }


def encoded(model: Any) -> np.ndarray:
    samples = torch.from_numpy(recording())[None]
    codes = model.encode(samples, torch.ones_like(samples, dtype=torch.bool)).audio_codes[0]
    return codes.T.numpy().astype(np.int16)


def voice() -> dict[str, np.ndarray]:
    encoder = named(
        modeling.Qwen3TTSSpeakerEncoder(modeling.Qwen3TTSSpeakerEncoderConfig(**SPEAKER)), "speaker_encoder."
    )
    samples = torch.from_numpy(recording())[None]
    sizes = {"n_fft": 1024, "num_mels": 128, "sampling_rate": 24000, "hop_size": 256, "win_size": 1024}
    levels = modeling.mel_spectrogram(samples, **sizes, fmin=0, fmax=12000).transpose(1, 2)
    return {"levels": levels[0, ::20, ::8].numpy(), "voice": encoder(levels)[0].numpy()}


def shapes(model: Any, prefix: str = "") -> dict[str, list[int]]:
    return {prefix + name: list(tensor.shape) for name, tensor in model.state_dict().items()}


def all_names() -> dict[str, dict[str, list[int]]]:
    """Of models without memory."""
    with torch.device("meta"):
        published = tokenizer.Qwen3TTSTokenizerV2Config(decoder_config=PUBLISHED, encoder_config={})
        found = {"tiny": shapes(tokenizer.Qwen3TTSTokenizerV2Model(tokenizer.Qwen3TTSTokenizerV2Config(**CODEC)))}
        found["codec"] = shapes(tokenizer.Qwen3TTSTokenizerV2Model(published))
        for which, sizes in {"tiny": SPEAKER, "0.6B": {"enc_dim": 1024}, "1.7B": {"enc_dim": 2048}}.items():
            speaker = modeling.Qwen3TTSSpeakerEncoder(modeling.Qwen3TTSSpeakerEncoderConfig(**sizes))
            found[f"{which} speaker"] = shapes(speaker, "speaker_encoder.")
    return found


@torch.no_grad()
def main(folder: str) -> None:
    def model() -> Any:
        return named(tokenizer.Qwen3TTSTokenizerV2Model._from_config(config, attn_implementation="eager"))

    config = tokenizer.Qwen3TTSTokenizerV2Config(**CODEC)
    numbers: dict[str, Any] = {**decoded(model()), **voice(), "whole": encoded(model())}
    modeling_mimi.create_causal_mask = create_sliding_window_causal_mask
    numbers["windowed"] = encoded(model())
    print("codes that the window changes:", float((numbers["whole"] != numbers["windowed"]).mean()))
    np.savez_compressed(Path(folder) / "qwen3_tts_codec.npz", **numbers)
    lists = json.dumps(all_names(), separators=(",", ":")).encode()
    (Path(folder) / "qwen3_tts_names.json.gz").write_bytes(gzip.compress(lists, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
