"""Reference numbers for tests/engines/whisper/test_transformers_layout.py: Whisper as transformers has it.

python scripts/parity/whisper_transformers.py OUT_FOLDER writes whisper_transformers.npz (the encoder's output and the
logits of a network with small made weights) and whisper_transformers_names.json.gz (the tensors of the checkpoints that
are published in this layout, by their sizes alone). Needs transformers 4.51 and torch for the CPU.
"""

import gzip
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

SMALL = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 128,
    "decoder_ffn_dim": 128,
    "num_mel_bins": 80,
    "vocab_size": 51865,
}
LARGE = {
    "d_model": 1280,
    "encoder_layers": 32,
    "encoder_attention_heads": 20,
    "decoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "decoder_ffn_dim": 5120,
}
PUBLISHED: dict[str, dict[str, Any]] = {
    "large-v2": {**LARGE, "decoder_layers": 32, "num_mel_bins": 80, "vocab_size": 51865},
    "distil-large-v2": {**LARGE, "decoder_layers": 2, "num_mel_bins": 80, "vocab_size": 51865},
    "large-v3": {**LARGE, "decoder_layers": 32, "num_mel_bins": 128, "vocab_size": 51866},
}
TOKENS = [50258, 50260, 50359, 50363, 3, 1, 4, 1, 5, 9]


def made(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The weights of a name, in 16 bits, which the test makes as well."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.1
    return torch.from_numpy((values + ("norm.weight" in name)).astype(np.float16).astype(np.float32))


def main() -> None:
    out = Path(sys.argv[1])
    model = WhisperForConditionalGeneration(WhisperConfig(**SMALL)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name != "model.encoder.embed_positions.weight":
                parameter.copy_(made(name, tuple(parameter.shape)))
        mel = made("mel", (1, 80, 3000))
        encoded = model.model.encoder(mel).last_hidden_state
        logits = model(input_features=mel, decoder_input_ids=torch.tensor([TOKENS])).logits
    np.savez_compressed(
        out / "whisper_transformers.npz",
        encoded=encoded[0, ::50, ::4].numpy(),
        logits=logits[0, :, ::499].numpy(),
        best=logits[0].argmax(-1).numpy(),
        names=np.array(sorted(model.state_dict())),
    )
    found = {}
    for size, config in PUBLISHED.items():
        with torch.device("meta"):
            whole = WhisperForConditionalGeneration(WhisperConfig(**config))
        found[size] = {"config": config, "tensors": {name: list(t.shape) for name, t in whole.state_dict().items()}}
    with gzip.GzipFile(out / "whisper_transformers_names.json.gz", "wb", mtime=0) as file:
        file.write(json.dumps(found).encode())


if __name__ == "__main__":
    main()
