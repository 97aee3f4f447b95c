"""Reference numbers for tests/engines/fishspeech: FishSpeech 1.5's own networks, small and with weights of their names.

python -P scripts/parity/fishspeech.py FISH_SPEECH tests

Writes fishspeech.json, what they compute, and fishspeech_tiny.json.gz, their names and shapes, to tests/engines/data.
FISH_SPEECH is the folder with `fish_speech` and `tools`, as the wheel of xinference 4.1.0 has it (Apache-2.0). Needs
torch, einops, einx, vector_quantize_pytorch 1.14.24, tiktoken and torchaudio's mel filters (`functional`).

The reference keeps its rotary angles in bfloat16; numbers are with exact ones, and one state is of both. Its main token
is drawn from all of the vocabulary; here from frames and the end of a turn, as the engine does it.
"""

import base64
import gzip
import importlib
import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from support.absent_packages import AbsentPackage

LM: dict[str, Any] = dict(
    vocab_size=1304, n_layer=2, n_head=4, dim=32, intermediate_size=48, n_local_heads=2, head_dim=8, rope_base=1e6,
    norm_eps=1e-6, max_seq_len=1536, tie_word_embeddings=False, codebook_size=1024, num_codebooks=8, n_fast_layer=2,
    fast_dim=32, fast_n_head=4, fast_n_local_heads=2, fast_head_dim=8, fast_intermediate_size=48,
)  # fmt: skip
MERGES = (b"he", b"ll", b"llo", b"hello", b" t", b" th", b" the", b"ex", b"xt", b"text", b"  ", b"\xe4\xbd")
TEXTS = (
    "hello the text.", "It's  3.14,  isn't it?!", "你好，世界！", "a\n\nb \r\nc ?!x  ?!x",
    "don't WE'LL été 12345", "-... «»",
)  # fmt: skip
SPOKEN = ("hello the text", "What I said.")
LONG = "hello there, you. What is it now?"
FRAMES = 6
SETTINGS = {"temperature": 0.7, "top_p": 1e-6, "repetition_penalty": 1.0}
"""The likeliest, without a penalty: the reference applies it to zeros too, before there are sixteen frames."""


def reference(folder: str) -> None:
    sys.path.insert(0, folder)
    for name in (
        "hydra", "loguru", "click", "pyrootutils", "lightning", "lightning.pytorch", "loralib", "rich", "natsort",
        "transformers", "tqdm", "torchaudio", "torchaudio.functional", "torchaudio.transforms", "datasets",
    ):  # fmt: skip
        try:
            importlib.import_module(name)
        except Exception:
            sys.modules[name] = AbsentPackage(name)
    utils = _module("fish_speech.utils", RankedLogger=AbsentPackage("RankedLogger"))
    utils.__path__ = [f"{folder}/fish_speech/utils"]
    package = _module("fish_speech")
    package.__path__ = [f"{folder}/fish_speech"]
    _module("fish_speech.models.text2semantic.lora", LoraConfig=object, setup_lora=None)
    _module("transformers", AutoTokenizer=object)


def _module(name: str, **contents: object) -> Any:
    sys.modules[name] = module = types.ModuleType(name)
    vars(module).update(contents)
    return module


def ranks() -> dict[bytes, int]:
    return {token: rank for rank, token in enumerate((*(bytes([byte]) for byte in range(256)), *MERGES))}


def fill(module: Any, named_weight: Any) -> dict[str, list[int]]:
    """Give `module` weights made of their names. Returns these and their shapes."""
    shapes = {name: list(tensor.shape) for name, tensor in module.state_dict().items()}
    module.load_state_dict({name: torch.from_numpy(named_weight(name, tuple(at))) for name, at in shapes.items()})
    module.eval()
    return shapes


def told(values: torch.Tensor, count: int = 40) -> list[Any]:
    """Shape, mean magnitude and evenly chosen values."""
    flat = values.detach().float().numpy().reshape(-1)
    chosen = flat[np.linspace(0, len(flat) - 1, count).astype(int)]
    return [list(values.shape), float(np.abs(flat).mean()), [round(float(value), 6) for value in chosen]]


def recording(count: int = 44_100) -> np.ndarray:
    times = np.arange(count) / 44_100
    return (0.2 * np.sin(2 * np.pi * (200 + 150 * times) * times) * (1 + np.sin(20 * times))).astype(np.float32)


def codec(named_weight: Any) -> tuple[dict[str, Any], dict[str, list[int]], torch.Tensor]:
    firefly = importlib.import_module("fish_speech.models.vqgan.modules.firefly")
    fsq = importlib.import_module("fish_speech.models.vqgan.modules.fsq")
    spectrogram = importlib.import_module("fish_speech.utils.spectrogram")
    model = firefly.FireflyArchitecture(
        firefly.ConvNeXtEncoder(160, [1, 1, 2, 1], [16, 16, 24, 64], 0.2, kernel_size=7),
        firefly.HiFiGANGenerator(
            hop_length=512, upsample_rates=[8, 8, 2, 2, 2], upsample_kernel_sizes=[16, 16, 4, 4, 4],
            resblock_kernel_sizes=[3, 7, 11], resblock_dilation_sizes=[[1, 3, 5]] * 3, num_mels=64,
            upsample_initial_channel=64, pre_conv_kernel_size=13, post_conv_kernel_size=13,
        ),
        fsq.DownsampleFiniteScalarQuantize(
            input_dim=64, n_groups=8, n_codebooks=1, levels=[8, 5, 5, 5], downsample_factor=[2, 2]
        ),
        spectrogram.LogMelSpectrogram(44_100, 2048, 2048, 512, 160),
    )  # fmt: skip
    shapes = fill(model, named_weight)
    found: dict[str, Any] = {}
    for name, count in (("second", 44_100), ("odd", 30_001)):
        sound = torch.from_numpy(recording(count))[None, None]
        mel = model.spec_transform(sound)
        codes, _ = model.encode(sound, torch.tensor([count]))
        found[name] = {"mel": told(mel[0].T), "codes": codes[0].tolist()}
        found[name]["latent"] = told(model.quantizer.downsample(model.backbone(mel))[0].T)
    drawn = torch.from_numpy(np.random.RandomState(3).randint(0, 1000, (1, 8, 11)))
    samples, _ = model.decode(drawn, torch.tensor([11]))
    found["said"] = told(samples[0, 0], 200)
    return found, shapes, codes[0]


class Frames(torch.nn.Module):  # type: ignore[misc]
    """Logits of a vocabulary without those that the engine never draws.

    The last one allowed ends a turn: where `every` is set, it is what every so many calls give.
    """

    def __init__(self, inner: Any, allowed: list[int]) -> None:
        super().__init__()
        self.every, self.calls, self.end = 0, 0, allowed[-1]
        self.inner = inner
        self.register_buffer("hidden", torch.ones(inner.weight.shape[0], dtype=torch.bool))
        self.hidden[allowed] = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = self.inner(x).masked_fill(self.hidden, -torch.inf)
        self.calls += 1
        if self.every and self.calls % self.every == 0:
            logits[..., self.end] = 1e9
        return logits


def exact(positions: int) -> torch.Tensor:
    """The table of angles that the reference rounds to bfloat16."""
    turns = 1 / (LM["rope_base"] ** (torch.arange(0, 8, 2).double() / 8))
    angles = torch.outer(torch.arange(positions).double(), turns)
    return torch.stack([angles.cos(), angles.sin()], -1).float()


def language_model(tokenizer: Any, heard: torch.Tensor, named_weight: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    llama = importlib.import_module("fish_speech.models.text2semantic.llama")
    tools = importlib.import_module("tools.llama.generate")
    talk = importlib.import_module("fish_speech.conversation")
    model = llama.DualARTransformer(llama.DualARModelArgs(**LM), tokenizer)
    shapes = fill(model, named_weight)
    model.load_state_dict(
        {name: tensor.bfloat16() for name, tensor in model.state_dict().items()}
    )  # as it is published
    first, end = tokenizer.semantic_begin_id, tokenizer.get_token_id("<|im_end|>")
    allowed = [*range(first, first + 1024), end]
    model.output = Frames(model.output, allowed)
    model.setup_caches(1, LM["max_seq_len"], torch.float32)
    words = talk.TextPart(text="Speak out the provided text.")
    system = talk.Conversation([talk.Message(role="system", parts=[words])]).encode_for_inference(tokenizer, 8)
    encode = lambda text, codes=None: tools.encode_tokens(tokenizer, text, "cpu", codes, 8)  # noqa: E731
    prompts: dict[str, Any] = {
        "plain": torch.cat([system, encode(SPOKEN[0])], 1),
        "cloned": torch.cat([system, encode(SPOKEN[1], heard), encode(SPOKEN[0])], 1),
    }
    found = {name: of_prompt(model, tools, prompt, allowed) for name, prompt in prompts.items()}
    return {**found, "turns": turns(model, tools, heard)}, shapes


def turns(model: Any, tools: Any, heard: torch.Tensor) -> list[Any]:
    """The frames of a text that is said in two turns of FRAMES, without the first one, which the reference drops."""
    model.freqs_cis, model.fast_freqs_cis = exact(LM["max_seq_len"]), exact(8)
    model.output.every, model.output.calls = FRAMES + 1, 0
    said = tools.generate_long(
        model=model, device="cpu", decode_one_token=tools.decode_one_token_ar, text=LONG, max_new_tokens=FRAMES + 3,
        max_length=4096, chunk_length=20, prompt_text=[SPOKEN[1]], prompt_tokens=[heard], **SETTINGS,
    )  # fmt: skip
    return [one.codes[:, :-1].tolist() for one in said if one.action == "sample"]


def of_prompt(model: Any, tools: Any, prompt: torch.Tensor, allowed: list[int]) -> dict[str, Any]:
    """What the model makes of a prompt, with rounded and with exact angles."""
    rounded, places = (model.freqs_cis, model.fast_freqs_cis), torch.arange(prompt.shape[1])
    state = model.forward_generate(prompt[None], places).hidden_states[0, -1]
    model.freqs_cis, model.fast_freqs_cis = exact(LM["max_seq_len"]), exact(8)
    result = model.forward_generate(prompt[None], places)
    settings = {name: torch.tensor(value) for name, value in SETTINGS.items()}
    said = tools.generate(
        model=model, prompt=prompt, max_new_tokens=FRAMES, decode_one_token=tools.decode_one_token_ar, **settings
    )
    model.freqs_cis, model.fast_freqs_cis = rounded
    return {
        "prompt": prompt[0].tolist(), "beneath": prompt[1:].sum(0).tolist(),
        "state": told(result.hidden_states[0, -1], 32), "rounded": told(state, 32),
        "logits": told(result.logits[0, -1, allowed]), "frames": said[1:, prompt.shape[1] :].tolist(),
    }  # fmt: skip


def drawn() -> list[dict[str, Any]]:
    """What is drawn from, and how likely, at given logits; chance comes after."""
    tools = importlib.import_module("tools.llama.generate")
    found = []
    for temperature, top_p, penalty in ((0.7, 0.7, 1.2), (1.3, 0.95, 1.0), (0.2, 0.3, 1.9)):
        logits = torch.from_numpy(np.random.RandomState(int(top_p * 100)).standard_normal(200).astype(np.float32) * 3)
        window = [3, 50, 120, 3, *np.argsort(-logits.numpy())[:3].tolist()]
        shares = tools.logits_to_probs(logits.clone(), torch.tensor(window), temperature, top_p, penalty)
        kept = {int(place): round(float(shares[place]), 6) for place in torch.nonzero(shares)[:, 0]}
        found.append({"temperature": temperature, "top_p": top_p, "penalty": penalty, "window": window, "shares": kept})
    return found


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    reference(sys.argv[1])
    tests = Path(sys.argv[2])
    sys.path.insert(0, str(tests / "support"))
    named = importlib.import_module("named_weights").named_weight
    tokens = importlib.import_module("fish_speech.tokenizer")
    with tempfile.NamedTemporaryFile("wb", suffix=".tiktoken") as file:
        file.write(b"".join(base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks().items()))
        file.flush()
        tokenizer = tokens.FishTokenizer(file.name)
    heard, codec_shapes, codes = codec(named)
    spoken, model_shapes = language_model(tokenizer, codes, named)
    numbers = {
        "config": {"model_type": "dual_ar", **LM},
        "ranks": [base64.b64encode(token).decode() for token in ranks()],
        "special": {name: tokenizer.get_token_id(name) for name in tokens.ALL_SPECIAL_TOKENS[:12]},
        "semantic": tokenizer.semantic_begin_id,
        "texts": [[text, tokenizer.encode(text, allowed_special=False)] for text in TEXTS],
        "codec": heard, "spoken": spoken, "draws": drawn(),
    }  # fmt: skip
    data = tests / "engines/data"
    (data / "fishspeech.json").write_text(json.dumps(numbers, separators=(",", ":")) + "\n")
    shapes = json.dumps({"model": model_shapes, "codec": codec_shapes}).encode()
    (data / "fishspeech_tiny.json.gz").write_bytes(gzip.compress(shapes, mtime=0))
