"""Reference numbers for tests/engines/test_ecapa.py: SpeechBrain's ECAPA-TDNN on the checkpoint that we convert.

python -P scripts/parity/ecapa.py OUT.json embedding_model.ckpt CLIP... (needs speechbrain, torch, soundfile).
Of the first 1.5 s and the first 0.5 s of each clip from 0.5 s on: a sample of the features, and the embedding of
length 1.
"""

import json
import sys
from pathlib import Path

import soundfile
import torch
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
from speechbrain.processing.features import InputNormalization

RATE = 16_000
SECONDS = (1.5, 0.5)
START = 0.5


@torch.no_grad()
def measure(encoder: ECAPA_TDNN, samples: torch.Tensor) -> dict[str, list[list[float]] | list[float]]:
    lengths = torch.ones(1)
    features = InputNormalization(norm_type="sentence", std_norm=False)(Fbank(n_mels=80)(samples[None]), lengths)
    embedding = torch.nn.functional.normalize(encoder(features, lengths)[0, 0], dim=0)
    return {
        "features": [[round(value, 4) for value in frame] for frame in features[0, ::10, ::8].tolist()],
        "embedding": [round(value, 6) for value in embedding.tolist()],
    }


def main(out: str, checkpoint: str, *clips: str) -> None:
    encoder = ECAPA_TDNN(80, channels=[1024, 1024, 1024, 1024, 3072], lin_neurons=192)
    encoder.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True))
    encoder.eval()
    numbers = {}
    for clip in clips:
        samples, rate = soundfile.read(clip, dtype="float32")
        assert rate == RATE, f"{clip} has {rate} Hz"
        first = round(START * RATE)
        for seconds in SECONDS:
            cut = torch.from_numpy(samples[first : first + round(seconds * RATE)])
            numbers[f"{Path(clip).stem} {seconds}"] = measure(encoder, cut)
    Path(out).write_text(json.dumps(numbers) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
