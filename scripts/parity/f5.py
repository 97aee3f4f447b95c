"""Reference numbers for tests/engines/test_f5.py: F5-TTS and Vocos with small made weights, the parts and the whole.

python scripts/parity/f5.py > tests/engines/data/f5.json

Needs f5-tts 1.1.22 and vocos 0.1.0 unpacked or installed with --no-deps, and torch, torchaudio (only its transforms),
torchdiffeq, x-transformers, einops, librosa, encodec, rjieba and pypinyin. The package imports a web
interface, so its own modules are loaded without it.
"""

import importlib
import importlib.util
import json
import sys
import types
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

SIZES = {"dim": 64, "depth": 3, "heads": 4, "dim_head": 16, "ff_mult": 2, "text_dim": 32, "conv_layers": 2}
VERSIONS: dict[str, dict[str, Any]] = {
    "version_0": {"pe_attn_head": 1, "text_mask_padding": False},
    "version_1": {"pe_attn_head": None, "text_mask_padding": True},
}
VOCODER = {"input_channels": 100, "dim": 24, "intermediate_dim": 40, "num_layers": 2}
REFERENCE, TEXT = "Some call me nature. ", "Others call me mother nature, I hear."
SAID = [
    "Some call me nature, others call me mother nature.",
    'I said "stop"; he didn\'t: 3.5% of 1,200 (e.g. AT&T, C++ or x-ray_2)...  Fine!',
    "a-.b a.5% 5%5 well-known...yes 10.5-20.5% at&t xC++ C#x 3.14.15 Mr.Smith U.S.A. .NET 3D 50%off ++ --",
    "Café — naïve… “quoted” ‘single’\tand\r\nlines.",
    "对，这就是我，万人敬仰的太乙真人。",
    "我在2024年用Python写了3.5个程序，你好吗？很好！",
    "我用C++写e.g.代码3.5%好a.b，卡拉OK和T恤……",
]


def bare(name: str, *parts: str) -> None:
    """Let modules of a package be imported without its __init__."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations)))
    for inner in ("", *parts):
        full = f"{name}.{inner}" if inner else name
        module = types.ModuleType(full)
        module.__path__ = [str(folder.joinpath(*inner.split(".")) if inner else folder)]
        sys.modules[full] = module


def made(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The weights of a name, which the tests make as well."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.1
    return torch.from_numpy(
        (values + (1 if name.endswith(("norm.weight", "layer_norm.weight")) else 0)).astype(np.float32)
    )


def fill(module: torch.nn.Module, prefix: str = "") -> None:
    for name, tensor in module.named_parameters():
        tensor.data = made(prefix + name, tuple(tensor.shape))


def noise(frames: int, bands: int) -> np.ndarray:
    return np.random.RandomState(7).standard_normal((frames, bands)).astype(np.float32)


def recording() -> np.ndarray:
    """0.8 s of a sound at 24 kHz."""
    times = np.arange(19_200) / 24_000
    return (0.05 * np.sin(2 * np.pi * (200 + 150 * times) * times) * (1 + np.sin(20 * times))).astype(np.float32)


def told(values: torch.Tensor, count: int = 40) -> list[Any]:
    """Shape, mean magnitude and evenly chosen values."""
    flat = values.detach().numpy().reshape(-1)
    chosen = flat[np.linspace(0, len(flat) - 1, count).astype(int)]
    return [list(values.shape), float(np.abs(flat).mean()), [round(float(value), 6) for value in chosen]]


if __name__ == "__main__":
    bare("f5_tts", "model", "model.backbones")
    bare("vocos")
    cfm, modules, utils, dit = (
        importlib.import_module(f"f5_tts.model.{name}") for name in ("cfm", "modules", "utils", "backbones.dit")
    )
    heads, models = (importlib.import_module(f"vocos.{name}") for name in ("heads", "models"))

    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    symbols = {symbol: number for number, symbol in enumerate(" abcdefghijklmnopqrstuvwxyz.,OS")}
    out: dict[str, Any] = {"spelled": utils.convert_char_to_pinyin(SAID), "texts": SAID}
    sound = torch.from_numpy(recording())[None]
    mel = modules.get_vocos_mel_spectrogram(sound)
    out["mel"] = told(mel[0].T)
    backbone, head = models.VocosBackbone(**VOCODER), heads.ISTFTHead(VOCODER["dim"], 1024, 256, "center")
    fill(backbone, "backbone.")
    fill(head, "head.")
    backbone.eval(), head.eval()
    out["vocos"] = told(head(backbone(mel))[0])
    text = utils.convert_char_to_pinyin([REFERENCE + TEXT])
    frames = 150
    torch.randn = lambda *shape, **_: torch.from_numpy(noise(*(int(size) for size in shape)))
    for version, differing in VERSIONS.items():
        network = dit.DiT(**SIZES, **differing, mel_dim=100, text_num_embeds=len(symbols), attn_backend="torch")
        fill(network)
        whole = cfm.CFM(network, mel_spec_kwargs={"n_mel_channels": 100}, vocab_char_map=symbols).eval()
        numbers = utils.list_str_to_idx(text, symbols)
        found = {"text": told(network.text_embed(numbers, frames)[0])}
        found["no_text"] = told(network.text_embed(numbers, frames, drop_text=True)[0])
        known = torch.nn.functional.pad(mel.transpose(1, 2), (0, 0, 0, frames - mel.shape[-1]))
        x = torch.from_numpy(noise(frames, 100))[None]
        found["direction"] = told(network(x, known, numbers, torch.tensor(0.3), cfg_infer=True))
        for steps, guidance in ((4, 2.0), (5, 0.0)):
            spectrogram, _ = whole.sample(
                sound, text, frames, steps=steps, cfg_strength=guidance, sway_sampling_coef=-1.0, seed=1
            )
            found[f"sampled_{steps}"] = told(spectrogram[0])
            generated = spectrogram[:, sound.shape[-1] // 256 :].transpose(1, 2)
            found[f"said_{steps}"] = told(head(backbone(generated))[0])
        out[version] = found
    json.dump(out, sys.stdout)
