"""Reference numbers for tests/engines/whisper/test_parity.py: openai-whisper on the weights of our converted folders.

python -P scripts/parity/whisper.py OUT_FOLDER MODEL_FOLDER... -- CLIP... writes OUT_FOLDER/NAME.npz for each folder
NAME (needs openai-whisper, torch for the CPU, safetensors, soundfile). Of each clip: a sample of the spectrogram, of
the encoder's output and of the logits along the greedy tokens, those tokens, and the words' times.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch
import whisper
from safetensors.torch import load_file
from whisper.timing import find_alignment
from whisper.tokenizer import get_tokenizer

BEAMS = 5
HEADS = {51864: "tiny.en", 51865: "base"}


def load(folder: Path) -> whisper.Whisper:
    config = json.loads((folder / "config.json").read_text())
    config.pop("model_type")
    model = whisper.Whisper(whisper.ModelDimensions(**config))
    weights = {"encoder.positional_embedding": model.encoder.positional_embedding}
    for name, tensor in load_file(folder / "model.safetensors").items():
        convolution = name.startswith("encoder.conv") and tensor.ndim == 3
        tensor = tensor.transpose(1, 2) if convolution else tensor
        weights[name.replace("mlp1", "mlp.0").replace("mlp2", "mlp.2")] = tensor.float()
    model.load_state_dict(weights, strict=False)
    model.set_alignment_heads(whisper._ALIGNMENT_HEADS[HEADS[config["n_vocab"]]])
    return model.eval()


@torch.no_grad()
def measure(model: whisper.Whisper, path: Path) -> dict[str, np.ndarray]:
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == whisper.audio.SAMPLE_RATE
    mel = whisper.log_mel_spectrogram(samples, model.dims.n_mels, padding=whisper.audio.N_SAMPLES)
    frames = len(samples) // whisper.audio.HOP_LENGTH
    window = whisper.pad_or_trim(mel[:, :frames], whisper.audio.N_FRAMES)
    options = whisper.DecodingOptions(language="en", temperature=0.0, fp16=False)
    result = whisper.decode(model, window, options)
    searched = whisper.decode(model, window, replace(options, beam_size=BEAMS))
    tokenizer = get_tokenizer(
        model.is_multilingual, num_languages=model.num_languages, language="en", task="transcribe"
    )
    encoded = model.embed_audio(window[None])
    tokens = [*tokenizer.sot_sequence, *result.tokens]
    logits = model.logits(torch.tensor([tokens]), encoded)[0]
    text = [token for token in result.tokens if token < tokenizer.eot]
    timings = find_alignment(model, tokenizer, text, window, frames)
    _, chances = model.detect_language(window) if model.is_multilingual else (None, {"en": 1.0})
    return {
        "mel": window.T[::50, ::8].numpy(),
        "encoded": encoded[0, ::50, ::16].numpy(),
        "tokens": np.array(result.tokens),
        "logits": logits[:, ::499].numpy(),
        "best": logits.argmax(-1).numpy(),
        "no_speech": np.array(result.no_speech_prob),
        "avg_logprob": np.array(result.avg_logprob),
        "beam_tokens": np.array(searched.tokens),
        "beam_avg_logprob": np.array(searched.avg_logprob),
        "english": np.array(chances["en"]),
        "words": np.array([timing.word for timing in timings]),
        "starts": np.array([timing.start for timing in timings]),
        "ends": np.array([timing.end for timing in timings]),
        "chances": np.array([timing.probability for timing in timings]),
    }


def main() -> None:
    split = sys.argv.index("--")
    out, folders, clips = Path(sys.argv[1]), sys.argv[2:split], sys.argv[split + 1 :]
    for folder in map(Path, folders):
        model = load(folder)
        found = {
            f"{Path(clip).stem}.{name}": value for clip in clips for name, value in measure(model, Path(clip)).items()
        }
        np.savez_compressed(out / f"whisper-{folder.name.removeprefix('whisper-')}.npz", **found)


if __name__ == "__main__":
    main()
