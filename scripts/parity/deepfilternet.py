"""Reference numbers for tests/engines/test_deepfilternet.py: DeepFilterNet 3's ONNX export run frame by frame.

python scripts/parity/deepfilternet.py FOLDER_OF_ONNX_FILES JFK_WAV > tests/engines/data/deepfilternet.json
(needs onnxruntime, numpy, soundfile, soxr). Analysis, features, filter and synthesis are written here once more, as
plain loops in float64 after libDF, so that a mistake in the engine's block arithmetic cannot hide in both.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import soxr

HOP, FRAME, BINS, ERB, DF, ORDER, AHEAD = 480, 960, 481, 32, 96, 5, 2
WIDTHS = [2] * 13 + [5, 5, 7, 7, 8, 10, 12, 13, 15, 18, 20, 24, 28, 31, 37, 42, 50, 56, 67]
ALPHA = 0.99


def noisy(path: str) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32")
    clean = soxr.resample(samples[: 3 * rate], rate, 48000).astype(np.float32)
    return clean + np.float32(0.03) * np.random.default_rng(0).standard_normal(len(clean), dtype=np.float32)


def features(spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.cumsum([0, *WIDTHS])
    band_mean, bin_mean = np.linspace(-60, -90, ERB), np.linspace(0.001, 0.0001, DF)
    bands, bins = [], []
    for spectrum in spectra:
        power = np.abs(spectrum) ** 2
        level = 10 * np.log10([power[a:b].mean() + 1e-10 for a, b in pairwise(edges)])
        band_mean = level * (1 - ALPHA) + band_mean * ALPHA
        bands.append((level - band_mean) / 40)
        bin_mean = np.abs(spectrum[:DF]) * (1 - ALPHA) + bin_mean * ALPHA
        bins.append(spectrum[:DF] / np.sqrt(bin_mean))
    return np.array(bands), np.array(bins)


def enhance(samples: np.ndarray, folder: Path) -> np.ndarray:
    window = np.sin(np.pi / 2 * np.sin(np.pi * (np.arange(FRAME) + 0.5) / FRAME) ** 2)
    hops = -(-len(samples) // HOP) + AHEAD + 1
    padded = np.concatenate([np.zeros(HOP), samples, np.zeros(hops * HOP - len(samples))])
    spectra = np.array([np.fft.rfft(padded[i * HOP : i * HOP + FRAME] * window) / FRAME for i in range(hops)])
    bands, bins = features(spectra)
    run = {name: onnxruntime.InferenceSession(folder / f"{name}.onnx") for name in ("enc", "erb_dec", "df_dec")}
    shape = np.stack([bins.real, bins.imag])[None, :, AHEAD:].astype(np.float32)
    e0, e1, e2, e3, emb, c0, _ = run["enc"].run(
        None, {"feat_erb": bands[None, None, AHEAD:].astype(np.float32), "feat_spec": shape}
    )
    (gains,) = run["erb_dec"].run(["m"], {"emb": emb, "e3": e3, "e2": e2, "e1": e1, "e0": e0})
    (taps,) = run["df_dec"].run(["coefs"], {"emb": emb, "c0": c0})
    taps = taps[0].reshape(-1, DF, ORDER, 2)
    out = np.zeros((hops + 1) * HOP)
    for t in range(hops - AHEAD):
        spectrum = spectra[t] * np.repeat(gains[0, 0, t], WIDTHS)
        spectrum[:DF] = 0
        for k in range(ORDER):
            if 0 <= (source := t + k - (ORDER - 1 - AHEAD)) < hops:
                spectrum[:DF] += spectra[source, :DF] * (taps[t, :, k, 0] + 1j * taps[t, :, k, 1])
        out[t * HOP : t * HOP + FRAME] += np.fft.irfft(spectrum) * FRAME * window
    return out[HOP : HOP + len(samples)]


if __name__ == "__main__":
    samples = noisy(sys.argv[2])
    enhanced = enhance(samples, Path(sys.argv[1]))
    at = list(range(1000, len(enhanced), 2311))
    rms = np.sqrt((enhanced[: len(enhanced) // 4800 * 4800].reshape(-1, 4800) ** 2).mean(1))
    json.dump({"at": at, "samples": enhanced[at].round(6).tolist(), "rms": rms.round(6).tolist()}, sys.stdout)
