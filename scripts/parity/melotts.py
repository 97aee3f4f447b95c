"""Reference numbers for tests/engines/melotts: MeloTTS and BERT with small made weights, the parts and the whole.

python scripts/parity/melotts.py > tests/engines/data/melotts.json
python scripts/parity/melotts.py names | gzip -9n > tests/engines/data/melotts_names.json.gz

Needs MeloTTS's package `melo` on the path, torch and transformers. Its text front ends, which fetch what they need, are
left out: what they would say of a text is given.
"""

import importlib
import json
import sys
import types
import zlib
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch
from transformers import BertConfig, BertModel

SIZES: dict[str, Any] = {
    "inter_channels": 8, "hidden_channels": 16, "filter_channels": 24, "n_heads": 2, "n_layers": 4, "kernel_size": 3,
    "p_dropout": 0.1, "resblock": "1", "resblock_kernel_sizes": [3, 7],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]], "upsample_rates": [4, 2], "upsample_initial_channel": 16,
    "upsample_kernel_sizes": [8, 4], "gin_channels": 6, "n_layers_trans_flow": 3,
}  # fmt: skip
FEATURES, TOKENS = 12, 40
TEXT = "others call me, i hear ."
PIECES = [["others"], ["call"], ["me"], [","], ["i"], ["he", "##ar"], ["."]]
SAID = [
    (["ah", "dh", "er", "z"], [2, 0, 1, 0]), (["k", "ao", "l"], [0, 2, 0]), (["m", "iy"], [0, 2]), ([","], [0]),
    (["ay"], [2]), (["hh", "ih", "r"], [0, 2, 0]), (["."], [0]),
]  # fmt: skip
SPEAKER, SPEED = 2, 0.3


def made(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The weights of a name, which the tests make as well."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.1
    if name.endswith("weight_g"):
        values = 0.5 + np.abs(values)
    elif name.endswith(("gamma", "LayerNorm.weight")):
        values = 1 + values
    return torch.from_numpy(values.astype(np.float32))


def fill(module: torch.nn.Module) -> None:
    for name, tensor in module.named_parameters():
        tensor.data = made(name, tuple(tensor.shape))


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(7).standard_normal(shape).astype(np.float32))


def told(values: torch.Tensor, count: int = 40) -> list[Any]:
    """Shape, mean magnitude and evenly chosen values."""
    flat = values.detach().float().numpy().reshape(-1)
    chosen = flat[np.linspace(0, len(flat) - 1, count).astype(int)]
    return [list(values.shape), float(np.abs(flat).mean()), [round(float(value), 6) for value in chosen]]


def without_front_ends() -> None:
    """Let the package be imported without what reads texts."""
    for name in ("librosa", "torchaudio", "soundfile", "melo.monotonic_align", "melo.text.cleaner"):
        sys.modules[name] = MagicMock()


def published_names(models: types.ModuleType) -> None:
    """Names and shapes of a checkpoint at its full size."""
    home = Path(models.__file__ or "").parent
    config = json.loads((home / "configs/config.json").read_text())
    symbols = importlib.import_module("melo.text").symbols
    with torch.device("meta"):
        network = models.SynthesizerTrn(
            len(symbols), 1025, 32, n_speakers=256, num_tones=16, num_languages=10, **config["model"]
        )
    print(json.dumps({name: list(tensor.shape) for name, tensor in network.state_dict().items()}))


def bert_features(tokens: list[int], count_of: list[int]) -> torch.Tensor:
    """The third-last layer of a small BERT for each phone [features, phones]."""
    config = BertConfig(
        vocab_size=TOKENS, hidden_size=FEATURES, num_hidden_layers=4, num_attention_heads=2, intermediate_size=20,
        max_position_embeddings=64,
    )  # fmt: skip
    bert = BertModel(config).eval()
    fill(bert)
    states = bert(torch.tensor([tokens]), output_hidden_states=True)["hidden_states"]
    return states[-3][0].repeat_interleave(torch.tensor(count_of), dim=0).T


def shared_out(phones: int, pieces: int) -> list[int]:
    """As the package's distribute_phone."""
    return [phones // pieces + (place < phones % pieces) for place in range(pieces)]


def laid_out(utils: Any) -> tuple[dict[str, Any], list[torch.Tensor]]:
    """The line of TEXT, with the vocabulary and the words that it is of, and what the network gets of it."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(piece for pieces in PIECES for piece in pieces)]
    symbols = ["_", *sorted({phone for phones, _ in SAID for phone in phones}), "UNK"]
    phones = ["_", *(phone for said, _ in SAID for phone in said), "_"]
    tones = [0, *(tone for _, said in SAID for tone in said), 0]
    words = list(zip(PIECES, SAID, strict=True))
    counts = [1, *(count for pieces, said in words for count in shared_out(len(said[0]), len(pieces))), 1]
    tokens = [2, *(vocabulary.index(piece) for pieces in PIECES for piece in pieces), 3]
    utils.clean_text = lambda text, language: (text, phones, tones, list(counts))
    utils.get_bert = lambda text, counts, language, device: bert_features(tokens, counts)
    about = types.SimpleNamespace(data=types.SimpleNamespace(add_blank=True))
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    bert, ja_bert, *line = utils.get_text_for_tts_infer(TEXT, "EN", about, "cpu", numbers)
    told_of = {
        "vocabulary": vocabulary,
        "symbols": symbols,
        "words": [["".join(pieces).replace("##", ""), *said] for pieces, said in words],
        **dict(zip(("phones", "tones", "languages"), (part.tolist() for part in line), strict=True)),
    }
    return told_of, [line[0], torch.tensor(len(line[0])), line[1], line[2], bert, ja_bert]


def spoken(network: Any, line: list[torch.Tensor]) -> dict[str, Any]:
    """The parts and the whole of the network."""
    line = [part[None] for part in line]
    speaker = torch.tensor([SPEAKER])
    g = network.emb_g(speaker).unsqueeze(-1)
    x, m, logs, mask = network.enc_p(*line, g=g)
    settings = {"sdp_ratio": 0.2, "noise_scale": 0.6, "noise_scale_w": 0.8, "length_scale": 1 / SPEED}
    sound, path, _, (z, *_) = network.infer(*line[:2], speaker, *line[2:], **settings)
    return {
        **dict(zip(("hidden", "means", "deviations"), (told(part[0].T) for part in (x, m, logs)), strict=True)),
        "plain": told(network.dp(x, mask, g=g)[0, 0]),
        "drawn": told(network.sdp(x, mask, g=g, reverse=True, noise_scale=0.8)[0, 0]),
        "frames": path[0, 0].sum(0).int().tolist(),
        "latent": told(z[0].T),
        "sound": told(sound[0, 0], 80),
    }


def unbent(transforms: Any) -> list[float]:
    """The inverse of steep splines, also outside of their bound."""
    wide = np.random.RandomState(3)
    inputs, widths, heights, slopes = (
        torch.from_numpy((wide.standard_normal(shape) * 3).astype(np.float32))
        for shape in ((30,), (30, 10), (30, 10), (30, 9))
    )
    found, _ = transforms.piecewise_rational_quadratic_transform(
        inputs, widths, heights, slopes, inverse=True, tails="linear", tail_bound=5.0
    )
    return [round(float(value), 6) for value in found]


def main() -> None:
    without_front_ends()
    models, transforms, utils = (importlib.import_module(f"melo.{name}") for name in ("models", "transforms", "utils"))
    if sys.argv[1:] == ["names"]:
        return published_names(models)
    torch.set_grad_enabled(False)
    told_of, line = laid_out(utils)
    sizes = {"n_speakers": 4, "num_tones": 16, "num_languages": 10}
    network = models.SynthesizerTrn(len(told_of["symbols"]), 17, 8, **sizes, **SIZES)
    network.enc_p.ja_bert_proj = torch.nn.Conv1d(FEATURES, SIZES["hidden_channels"], 1)
    network.eval()
    fill(network)
    torch.randn = lambda *shape, **_: noise(*shape)
    torch.randn_like = lambda tensor, **_: noise(*tensor.shape)
    out = {"line": told_of, "features": told(line[-1].T), **spoken(network, line), "spline": unbent(transforms)}
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    main()
