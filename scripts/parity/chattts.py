"""Reference numbers for tests/engines/chattts: ChatTTS with small weights made from their names, in parts.

python scripts/parity/chattts.py FOLDER_OF_CHATTTS > tests/engines/data/chattts.json

Needs ChatTTS 0.2.5 (its sdist, unpacked) and vocos 0.1.0, torch, transformers 4.51.3, numpy, safetensors. ChatTTS is
run as it is; what it imports besides is replaced, as none of it takes part.
"""

import importlib
import importlib.abc
import importlib.machinery
import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import DynamicCache, LlamaConfig, LlamaModel

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from support.absent_packages import AbsentPackage
from support.named_weights import named_weight

WIDTH, CODES, TEXT = 48, 24, 92
LLAMA = {
    "hidden_size": WIDTH, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 4, "rms_norm_eps": 1e-6, "max_position_embeddings": 4096,
}  # fmt: skip
DECODER = {"idim": WIDTH // 2, "odim": WIDTH // 2, "hidden": 20, "n_layer": 2, "bn_dim": 12}
VOCOS = {"input_channels": 100, "dim": 24, "intermediate_dim": 40, "num_layers": 2}
PROMPT = [54, 62, 87, 9, 6, 13, 13, 16, 80, 26, 16, 22, 81, 55]
PLACE = 1
"""Of the speaker's vector in the prompt."""
COLD = 0.002
"""A temperature at which chance decides nothing."""


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        is_absent = name.split(".")[0] in ("torchaudio", "encodec", "numba", "vector_quantize_pytorch")
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if is_absent else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return AbsentPackage(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


def made(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """As tests/support/tiny_chattts.py makes it."""
    found = named_weight(name, shape)
    return np.abs(found) + 1 if name.endswith("original0") or name == "coef" else found


def fill(module: torch.nn.Module) -> None:
    for name, tensor in module.state_dict().items():
        if not name.startswith("feature_extractor.") and not name.endswith("window"):
            tensor.copy_(torch.from_numpy(made(name, tuple(tensor.shape))))


def numbers(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def told(values: torch.Tensor, count: int = 60) -> list[Any]:
    """Shape, mean magnitude and evenly chosen values."""
    flat = values.detach().float().numpy().reshape(-1)
    chosen = flat[np.linspace(0, len(flat) - 1, count).astype(int)]
    return [list(values.shape), float(np.abs(flat).mean()), [round(float(value), 6) for value in chosen]]


def network(model: Any, folder: Path) -> Any:
    """ChatTTS's network of language, which reads its weights from files in `folder`."""
    llama, embed = LlamaModel(LlamaConfig(**LLAMA)), model.Embed(WIDTH, CODES, TEXT, 4)
    fill(llama)
    fill(embed)
    llama.save_pretrained(folder / "gpt")
    save_file({name: tensor.contiguous() for name, tensor in embed.state_dict().items()}, folder / "Embed.safetensors")
    sizes = {**LLAMA, "num_audio_tokens": CODES, "num_text_tokens": TEXT, "num_vq": 4}
    gpt = model.GPT(gpt_config=sizes, embed=embed)
    gpt.load_pretrained(str(folder / "gpt"), str(folder / "Embed.safetensors"))
    return gpt.eval()


def generated(
    model: Any, gpt: Any, embed: Any, speaker: Any, is_text: bool, end: int, penalty: float, steps: int
) -> dict[str, Any]:
    """What is drawn without chance, and the states that it was drawn from."""
    ids = torch.tensor(PROMPT)[None, :, None].expand(-1, -1, 4).clone()
    embedded = embed(ids, torch.ones(1, len(PROMPT), dtype=torch.bool)).clone()
    if not is_text:
        embedded = speaker.apply(embedded, numbers(5, WIDTH), ids, PROMPT[PLACE], torch.device("cpu"))
    warpers, processors = model.gen_logits(CODES, 0.7, 20, penalty)
    results = gpt.generate(
        embedded,
        ids,
        torch.tensor([COLD] * (1 if is_text else 4)),
        torch.tensor(end),
        attention_mask=torch.ones(1, len(PROMPT), dtype=torch.bool),
        max_new_token=steps,
        logits_processors=(*processors, *warpers),
        infer_text=is_text,
        return_hidden=True,
        show_tqdm=False,
    )
    last = list(results)[-1]
    states = torch.cat([state for state in last.hiddens]) if last.hiddens else torch.zeros(0)
    return {"drawn": last.ids[0].tolist(), "states": told(states) if len(states) else []}


if __name__ == "__main__":
    sys.meta_path.insert(0, Finder())
    sys.path.insert(0, sys.argv[1])
    model = importlib.import_module("ChatTTS.model")
    config = importlib.import_module("ChatTTS.config")
    heads, models = (importlib.import_module(f"vocos.{name}") for name in ("heads", "models"))
    torch.set_grad_enabled(False)
    if not hasattr(DynamicCache, "layers"):  # ChatTTS asks a later version of transformers whether it is empty
        DynamicCache.layers = property(lambda cache: cache.key_cache)
    out: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        gpt = network(model, Path(folder))
    embed = model.Embed(WIDTH, CODES, TEXT, 4)
    fill(embed)
    speaker = model.Speaker(768, config.Config().spk_stat)
    out["text"] = generated(model, gpt, embed, speaker, True, TEXT - 1, 1.0, 24)
    for penalty in (1.0, 1.3):
        out[f"codes_{penalty}"] = generated(model, gpt, embed, speaker, False, CODES - 1, penalty, 40)
    decoder = model.DVAE(decoder_config=DECODER, dim=DECODER["idim"]).eval()
    fill(decoder)
    states = numbers(1, 30, WIDTH)
    mel = decoder(states.T[None])
    out["mel"] = told(mel[0].T)
    backbone, head = models.VocosBackbone(**VOCOS).eval(), heads.ISTFTHead(VOCOS["dim"], 1024, 256, "center").eval()
    both = torch.nn.Module()
    both.backbone, both.head = backbone, head
    fill(both)
    out["sound"] = told(head(backbone(mel))[0], 200)
    speaker.std, speaker.mean = (numbers(seed, 768).abs().half() for seed in (6, 7))
    torch.manual_seed(0x550D7456)
    vector = speaker._sample_random()
    out["speaker"] = {"vector": told(vector), "text": speaker._encode(numbers(8, 768).half())}
    logits = numbers(9, 12, CODES)
    for name, (top_p, top_k) in {"wide": (0.95, 20), "narrow": (0.2, 20), "few": (0.99, 2)}.items():
        warpers, _ = model.gen_logits(CODES, top_p, top_k, 1.0)
        left = logits.clone()
        for warper in warpers:
            left = warper(None, left)
        out[f"kept_{name}"] = torch.isfinite(left).sum(dim=1).tolist()
    json.dump(out, sys.stdout, separators=(",", ":"))
