"""Reference numbers for tests/engines/cosyvoice/test_first*: CosyVoice 1's own networks, small, with made weights.

python -P scripts/parity/cosyvoice_first.py OUT_FOLDER THIRD_PARTY S3TOKENIZER (folders: that with cosyvoice and matcha
as the package xinference 4.1.0 has them, and that with the package s3tokenizer; needs torch, transformers, diffusers,
einops, omegaconf and scipy).
Writes cosyvoice1_shapes.json.gz, the names and shapes of the small networks, and cosyvoice1.npz, what they compute. The
same weights are made again by support.tiny_cosyvoice_first.
"""

import gzip
import json
import logging
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from support.small_checkpoints import first_made

Numbers = dict[str, Any]
Shapes = dict[str, dict[str, list[int]]]

VOCABULARY, SPEECH, BASE = 51_866, 4096, 32
SETTINGS = {
    "sigma_min": 1e-6, "solver": "euler", "t_scheduler": "cosine", "training_cfg_rate": 0.2, "inference_cfg_rate": 0.7,
    "reg_loss_type": "l1",
}  # fmt: skip
PROMPT, FRAMES = 12, 21
CASES = (("long", 61, True), ("short", 30, True), ("bare", 61, False))


def stub(name: str) -> Any:
    return sys.modules.setdefault(name, types.ModuleType(name))


def import_reference(third_party: str, s3tokenizer: str) -> None:
    """Make the reference importable without what only its training and its files need."""
    import diffusers.models.attention  # noqa: F401
    import transformers  # noqa: F401

    sys.path[:0] = [third_party, s3tokenizer]
    utils = stub("matcha.utils")
    utils.__path__ = [f"{third_party}/matcha/utils"]
    stub("matcha.utils.pylogger").get_pylogger = logging.getLogger
    stub("conformer").ConformerBlock = torch.nn.Module
    for name in ("torchaudio", "onnx", "onnxruntime"):
        stub(name)
    tokenizer = stub("s3tokenizer")
    tokenizer.__path__ = [f"{s3tokenizer}/s3tokenizer"]


def fill(module: Any) -> tuple[Any, dict[str, list[int]]]:
    """The module with its weights made from their names, and their shapes."""
    state = module.state_dict()
    shapes = {name: list(tensor.shape) for name, tensor in state.items() if "positional_embedding" not in name}
    for name, shape in shapes.items():
        state[name] = torch.from_numpy(first_made(name, tuple(shape)))
    module.load_state_dict(state)
    return module.eval(), shapes


def numbers(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def whole(seed: int, most: int, count: int) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(seed).randint(0, most, (1, count)))


def encoder(kind: Any, width: int, heads: int, **settings: Any) -> Any:
    return kind(
        output_size=width, attention_heads=heads, dropout_rate=0.1, positional_dropout_rate=0.1,
        attention_dropout_rate=0.0, pos_enc_layer_type="rel_pos_espnet", selfattention_layer_type="rel_selfattn",
        **settings,
    )  # fmt: skip


def language_model_numbers(out: Numbers, shapes: Shapes) -> None:
    """Logits after a prompt, and after two more tokens, which are read with the keys and values of those before."""
    from cosyvoice.llm.llm import TransformerLM
    from cosyvoice.transformer.encoder import ConformerEncoder, TransformerEncoder
    from cosyvoice.utils.common import ras_sampling

    text = encoder(
        ConformerEncoder, 32, 4, input_size=16, linear_units=48, num_blocks=2, normalize_before=True,
        input_layer="linear", use_cnn_module=False, macaron_style=False, static_chunk_size=1,
    )  # fmt: skip
    speech = encoder(
        TransformerEncoder, 32, 4, input_size=32, linear_units=48, num_blocks=2, input_layer="linear_legacy",
        static_chunk_size=1,
    )  # fmt: skip
    model, shapes["lm"] = fill(TransformerLM(16, 32, 32, VOCABULARY, SPEECH, text, speech, ras_sampling))
    words = whole(12, VOCABULARY, 10)
    encoded, _ = model.encode(model.text_embedding(words), torch.tensor([10]))
    out["text"] = encoded[0, :, ::4].numpy()
    marks = model.llm_embedding.weight[None]
    speaker = model.spk_embed_affine_layer(torch.nn.functional.normalize(numbers(8, 1, 192), dim=1))[None]
    said = model.speech_embedding(whole(13, SPEECH, 9))
    for name, parts in (
        ("logits", [marks[:, :1], speaker, encoded, marks[:, 1:], said]),
        ("logits_plain", [marks[:, :1], encoded, marks[:, 1:]]),
    ):
        given, offset, found = torch.concat(parts, dim=1), 0, []
        cache = nothing = torch.zeros((0, 0, 0, 0))
        for token in (100, 4000, None):
            count = given.shape[1]
            seen = torch.tril(torch.ones((1, count, count))).to(torch.bool)
            y, cache, nothing = model.llm.forward_chunk(
                given, offset=offset, required_cache_size=-1, att_cache=cache, cnn_cache=nothing, att_mask=seen
            )
            found.append(model.llm_decoder(y[0, -1]))
            offset += count
            given = given if token is None else model.speech_embedding.weight[token][None, None]
        out[name] = torch.stack(found)[:, ::41].numpy()


def new_flow() -> Any:
    from cosyvoice.flow.decoder import ConditionalDecoder
    from cosyvoice.flow.flow import MaskedDiffWithXvec
    from cosyvoice.flow.flow_matching import ConditionalCFM
    from cosyvoice.flow.length_regulator import InterpolateRegulator
    from cosyvoice.transformer.encoder import ConformerEncoder
    from omegaconf import DictConfig

    tokens = encoder(
        ConformerEncoder, 64, 8, input_size=64, linear_units=64, num_blocks=1, normalize_before=True,
        input_layer="linear", use_cnn_module=False, macaron_style=False,
    )  # fmt: skip
    estimator = ConditionalDecoder(320, 80, [32, 32], 0.0, 16, 1, 4, 8, "gelu")
    matching = ConditionalCFM(240, DictConfig(SETTINGS), 1, 80, estimator)
    regulator = InterpolateRegulator(80, [1, 1, 1, 1])
    return MaskedDiffWithXvec(64, 80, 192, "mel", SPEECH, 50, True, tokens, regulator, matching)


def flow_numbers(out: Numbers, shapes: Shapes) -> torch.Tensor:
    model, shapes["flow"] = fill(new_flow())
    y = model.decoder.estimator(
        numbers(2, 2, 80, 45), torch.ones(2, 1, 45), numbers(3, 2, 80, 45), torch.tensor([0.3, 0.3]),
        numbers(4, 2, 80), numbers(5, 2, 80, 45),
    )  # fmt: skip
    out["estimator"] = y[:, ::8, ::3].numpy()
    found = {}
    for case, count, prompted in CASES:
        before, frames = (PROMPT, FRAMES) if prompted else (0, 0)
        torch.manual_seed(7)
        found[case], _ = model.inference(
            token=whole(9, SPEECH, count), token_len=torch.tensor([count]), prompt_token=whole(6, SPEECH, before),
            prompt_token_len=torch.tensor([before]), prompt_feat=numbers(7, 1, frames, 80),
            prompt_feat_len=torch.tensor([frames]), embedding=numbers(8, 1, 192), flow_cache=torch.zeros(1, 80, 0, 2),
        )  # fmt: skip
        out[f"flow_{case}"] = found[case][0, ::8, ::2].numpy()
    return found["long"]


def vocoder_numbers(out: Numbers, shapes: Shapes, mel: torch.Tensor) -> None:
    from cosyvoice.hifigan import generator
    from cosyvoice.hifigan.f0_predictor import ConvRNNF0Predictor

    sizes = (80, BASE, 8, 22_050, 0.1, 0.003, 10, [8, 8], [16, 16], {"n_fft": 16, "hop_len": 4})
    blocks = ([3, 7, 11], [[1, 3, 5]] * 3, [7, 11], [[1, 3, 5]] * 2)
    pitch = ConvRNNF0Predictor(1, 80, BASE)
    model, shapes["hift"] = fill(generator.HiFTGenerator(*sizes, *blocks, 0.1, 0.99, pitch))
    random = np.random.default_rng(0)

    class Phases:
        """The random phases, from the numbers that the tests draw."""

        def __init__(self, low: float, high: float) -> None:
            pass

        def sample(self, sample_shape: tuple[int, ...]) -> torch.Tensor:
            turns = np.concatenate([[0], random.uniform(-0.5, 0.5, sample_shape[1] - 1)])
            return torch.from_numpy((2 * np.pi * turns).astype(np.float32)).reshape(sample_shape)

    def drawn(x: torch.Tensor) -> torch.Tensor:
        rows = random.standard_normal((x.shape[2], x.shape[1]), np.float32)
        return torch.from_numpy(rows.T.copy())[None]

    generator.Uniform, torch.randn_like = Phases, drawn
    given = numbers(10, 1, 80, 40)
    out["pitch"] = model.f0_predictor(given)[0].numpy()
    random = np.random.default_rng(5)
    samples, source = model.inference(speech_feat=given)
    out["source"], out["samples"] = source[0, 0, ::37].numpy(), samples[0, ::37].numpy()
    random = np.random.default_rng(6)
    samples, _ = model.inference(speech_feat=mel)
    out["whole_path"] = samples[0, ::61].numpy()


def tokenizer_numbers(out: Numbers, shapes: Shapes) -> None:
    from s3tokenizer.model import ModelConfig, S3Tokenizer

    sizes = ModelConfig(n_audio_state=128, n_audio_head=2, n_audio_layer=2, n_codebook_size=300)
    model, shapes["s3"] = fill(S3Tokenizer("speech_tokenizer_v1", sizes))
    mel = numbers(14, 1, 128, 101)
    out["s3_hidden"] = model.encoder(mel, torch.tensor([101]))[0][0, ::3, ::9].numpy()
    out["s3_tokens"] = model.quantize(mel, torch.tensor([101]))[0][0].numpy()


@torch.inference_mode()
def main(folder: str, third_party: str, s3tokenizer: str) -> None:
    import_reference(third_party, s3tokenizer)
    out: Numbers = {}
    shapes: Shapes = {}
    language_model_numbers(out, shapes)
    mel = flow_numbers(out, shapes)
    tokenizer_numbers(out, shapes)
    vocoder_numbers(out, shapes, mel)
    data = gzip.compress(json.dumps(shapes).encode(), mtime=0)
    (Path(folder) / "cosyvoice1_shapes.json.gz").write_bytes(data)
    np.savez_compressed(Path(folder) / "cosyvoice1.npz", **out)
    print({name: (values.shape, float(np.abs(values).max())) for name, values in out.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
