"""Reference numbers for tests/engines/cosyvoice: CosyVoice 2's own networks, small and with weights made from names.

python -P scripts/parity/cosyvoice.py OUT_FOLDER COSYVOICE MATCHA (source trees of CosyVoice and Matcha-TTS; needs
torch, transformers, diffusers, einops, omegaconf, s3tokenizer, chatterbox-tts without their dependencies, and onnx).
Writes cosyvoice2_shapes.json.gz, the names and shapes of the small networks; cosyvoice2.npz, what they compute; and
campplus_graph.json.gz, the nodes of CAM++ as ONNX. The same weights are made again by support.small_checkpoints.
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
from support.small_checkpoints import made

Numbers = dict[str, Any]
Shapes = dict[str, dict[str, list[int]]]

FLOW = {"D": 512, "F": 64, "L": 1, "C": 32, "M": 2, "NB": 1, "hd": 16, "S": 40}
BASE = 32
HIFT = (
    80, BASE, 8, 24_000, 0.1, 0.003, 10, [8, 5, 3], [16, 11, 7], {"n_fft": 16, "hop_len": 4}, [3, 7, 11],
    [[1, 3, 5]] * 3, [7, 7, 11], [[1, 3, 5]] * 3, 0.1, 0.99,
)  # fmt: skip
PROMPT, TOKENS, PART = 25, 60, 28
SETTINGS = {
    "sigma_min": 1e-6, "solver": "euler", "t_scheduler": "cosine", "training_cfg_rate": 0.2, "inference_cfg_rate": 0.7,
    "reg_loss_type": "l1",
}  # fmt: skip
CASES = (("chunked", TOKENS, True, True), ("full", TOKENS, False, True), ("part", PART, True, False))


def stub(name: str) -> Any:
    return sys.modules.setdefault(name, types.ModuleType(name))


def import_reference(cosyvoice: str, matcha: str) -> None:
    """Make the reference importable without what only its training and its files need."""
    import diffusers
    import diffusers.models.attention  # noqa: F401
    import transformers  # noqa: F401

    sys.path[:0] = [cosyvoice, matcha]
    utils = stub("matcha.utils")
    utils.__path__ = [f"{matcha}/matcha/utils"]
    stub("matcha.utils.pylogger").get_pylogger = logging.getLogger
    for name in ("torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi", "onnxruntime"):
        stub(name)
    stub("torchaudio").compliance = stub("torchaudio.compliance")
    stub("torchaudio.compliance").kaldi = stub("torchaudio.compliance.kaldi")


def fill(module: Any) -> tuple[Any, dict[str, list[int]]]:
    """The module with its weights made from their names, and their shapes."""
    state = module.state_dict()
    shapes = {
        name: list(tensor.shape)
        for name, tensor in state.items()
        if tensor.is_floating_point() and "inv_freq" not in name
    }
    for name, shape in shapes.items():
        state[name] = torch.from_numpy(made(name, tuple(shape)))
    module.load_state_dict(state)
    return module.eval(), shapes


def numbers(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def whole(seed: int, most: int, count: int) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(seed).randint(0, most, (1, count)))


def prompt() -> Numbers:
    return {
        "prompt_token": whole(6, FLOW["S"], PROMPT), "prompt_token_len": torch.tensor([PROMPT]),
        "prompt_feat": numbers(7, 1, 2 * PROMPT, 80), "prompt_feat_len": torch.tensor([2 * PROMPT]),
        "embedding": numbers(8, 1, 192),
    }  # fmt: skip


def matching_of(estimator: torch.nn.Module) -> torch.nn.Module:
    from cosyvoice.flow.flow_matching import CausalConditionalCFM
    from omegaconf import DictConfig

    matching: torch.nn.Module = CausalConditionalCFM(240, DictConfig(SETTINGS), 1, 80, estimator)
    return matching


def second_flow() -> Any:
    from cosyvoice.flow.decoder import CausalConditionalDecoder
    from cosyvoice.flow.flow import CausalMaskedDiffWithXvec
    from cosyvoice.transformer.upsample_encoder import UpsampleConformerEncoder

    c = FLOW
    encoder = UpsampleConformerEncoder(
        input_size=c["D"], output_size=c["D"], attention_heads=8, linear_units=c["F"], num_blocks=c["L"],
        dropout_rate=0.1, positional_dropout_rate=0.1, attention_dropout_rate=0.1, normalize_before=True,
        input_layer="linear", pos_enc_layer_type="rel_pos_espnet", selfattention_layer_type="rel_selfattn",
        use_cnn_module=False, macaron_style=False, static_chunk_size=25,
    )  # fmt: skip
    estimator = CausalConditionalDecoder(
        320, 80, [c["C"]], 0.0, c["hd"], c["NB"], c["M"], 8, "gelu", static_chunk_size=50, num_decoding_left_chunks=-1
    )
    matching = matching_of(estimator)
    return CausalMaskedDiffWithXvec(c["D"], 80, 192, "mel", c["S"], 25, True, 2, 3, encoder, matching)


def third_flow() -> Any:
    from cosyvoice.flow.DiT.dit import DiT
    from cosyvoice.flow.flow import CausalMaskedDiffWithDiT
    from cosyvoice.transformer.upsample_encoder import PreLookaheadLayer

    estimator = DiT(
        dim=64, depth=2, heads=4, dim_head=16, ff_mult=2, mel_dim=80, mu_dim=80, spk_dim=80, out_channels=80,
        static_chunk_size=50, num_decoding_left_chunks=-1,
    )  # fmt: skip
    ahead = PreLookaheadLayer(80, 48, 3)
    return CausalMaskedDiffWithDiT(80, 80, 192, "mel", FLOW["S"], 25, True, 2, 3, ahead, matching_of(estimator))


def spectrograms(model: Any, name: str, out: Numbers) -> None:
    """Of CASES."""
    tokens = whole(9, FLOW["S"], TOKENS)
    for case, count, streaming, final in CASES:
        mel, _ = model.inference(
            token=tokens[:, :count], token_len=torch.tensor([count]), streaming=streaming, finalize=final, **prompt()
        )
        out[f"{name}_{case}"] = mel[0, ::8, ::2].numpy()


def flow_numbers(out: Numbers, shapes: Shapes) -> torch.Tensor:
    model, shapes["flow"] = fill(second_flow())
    matching, encoder = model.decoder, model.encoder
    out["noise"] = matching.rand_noise[0, ::9, ::997].numpy()
    x = numbers(1, 1, 40, FLOW["D"])
    length = torch.tensor([40])
    for name, streaming in (("chunked", True), ("full", False)):
        features = encoder(x, length, streaming=streaming)[0]
        out[f"encoder_{name}"] = features[0, :, ::32].numpy()
        y = matching.estimator(
            numbers(2, 2, 80, 120), torch.ones(2, 1, 120), numbers(3, 2, 80, 120), torch.tensor([0.3, 0.3]),
            numbers(4, 2, 80), numbers(5, 2, 80, 120), streaming=streaming,
        )  # fmt: skip
        out[f"estimator_{name}"] = y[:, ::8, ::3].numpy()
    spectrograms(model, "flow", out)
    none = {
        "prompt_token": torch.zeros(1, 0, dtype=torch.long), "prompt_token_len": torch.tensor([0]),
        "prompt_feat": torch.zeros(1, 0, 80), "prompt_feat_len": torch.tensor([0]), "embedding": numbers(8, 1, 192),
    }  # fmt: skip
    every = {
        "token": whole(9, FLOW["S"], TOKENS),
        "token_len": torch.tensor([TOKENS]),
        "streaming": True,
        "finalize": True,
    }
    bare, _ = model.inference(**every, **none)
    out["flow_bare"] = bare[0, ::8, ::2].numpy()
    return model.inference(**every, **prompt())[0]


def vocoder_numbers(out: Numbers, shapes: Shapes, mel: torch.Tensor) -> None:
    from cosyvoice.hifigan.f0_predictor import ConvRNNF0Predictor
    from cosyvoice.hifigan.generator import HiFTGenerator

    model, shapes["hift"] = fill(HiFTGenerator(*HIFT, ConvRNNF0Predictor(1, 80, BASE)))
    random = np.random.default_rng(5)
    torch.randn_like = lambda x: torch.from_numpy(random.standard_normal(tuple(x.shape), np.float32))
    given = numbers(10, 1, 80, 40)
    out["pitch"] = model.f0_predictor(given)[0].numpy()
    samples, source = model.inference(speech_feat=given)
    out["source"], out["samples"] = source[0, 0, ::7].numpy(), samples[0, ::5].numpy()
    random = np.random.default_rng(6)
    samples, _ = model.inference(speech_feat=mel)
    out["whole_path"] = samples[0, ::11].numpy()


def third_numbers(out: Numbers, shapes: Shapes) -> None:
    """CosyVoice 3: its flow and its vocoder, whole and the beginning of them."""
    from cosyvoice.hifigan.f0_predictor import CausalConvRNNF0Predictor
    from cosyvoice.hifigan.generator import CausalHiFTGenerator

    model, shapes["flow3"] = fill(third_flow())
    spectrograms(model, "flow3", out)
    vocoder, shapes["hift3"] = fill(CausalHiFTGenerator(*HIFT, 4, CausalConvRNNF0Predictor(1, 80, BASE)))
    given = numbers(10, 1, 80, 40)
    drawn = np.random.default_rng(5).random((1, 40 * 480, 9), np.float32)
    vocoder.m_source.l_sin_gen.sine_waves = torch.from_numpy(drawn)
    vocoder.f0_predictor.to(torch.float64)
    out["pitch3"] = vocoder.f0_predictor(given.to(torch.float64))[0].float().numpy()
    samples, source = vocoder.inference(speech_feat=given)
    out["source3"], out["samples3"] = source[0, 0, ::7].numpy(), samples[0, ::5].numpy()


def language_model_numbers(out: Numbers, shapes: Shapes) -> None:
    from cosyvoice.llm.llm import Qwen2Encoder, Qwen2LM
    from cosyvoice.utils.common import ras_sampling
    from transformers import Qwen2Config, Qwen2ForCausalLM

    class Encoder(Qwen2Encoder):  # type: ignore[misc]
        def __init__(self, config: Qwen2Config) -> None:
            torch.nn.Module.__init__(self)
            self.model = Qwen2ForCausalLM(config)

    config = Qwen2Config(
        vocab_size=200, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=32768, rope_theta=1e6, rms_norm_eps=1e-6,
        tie_word_embeddings=True,
    )  # fmt: skip
    model, shapes["lm"] = fill(Qwen2LM(32, 32, 6561, Encoder(config), ras_sampling))
    before, text, speech = whole(11, 200, 4), whole(12, 200, 6), whole(13, 6561, 9)
    words = model.llm.model.model.embed_tokens(torch.cat([before, text], dim=1))
    marks = model.llm_embedding.weight
    inputs = torch.cat([marks[None, :1], words, marks[None, 1:], model.speech_embedding(speech)], dim=1)
    hidden = model.llm.model.model(inputs_embeds=inputs).last_hidden_state
    out["logits"] = model.llm_decoder(hidden)[0, -3:, ::41].numpy()


def front_numbers(out: Numbers, shapes: Shapes) -> None:
    from s3tokenizer.model_v2 import ModelConfig, S3TokenizerV2
    from s3tokenizer.utils import log_mel_spectrogram

    samples = numbers(14, 16_000) * 0.1
    mel = log_mel_spectrogram(samples, 128)
    out["whisper_mel"] = mel[::8, ::5].T.numpy()
    sizes = ModelConfig(n_audio_state=128, n_audio_head=2, n_audio_layer=2)
    model, shapes["s3"] = fill(S3TokenizerV2("speech_tokenizer_v2_25hz", sizes))
    hidden, _ = model.encoder(mel[None], torch.tensor([mel.shape[1]]))
    out["s3_hidden"] = model.quantizer._codebook.project_down(hidden)[0].numpy()
    out["s3_tokens"] = model.quantize(mel[None], torch.tensor([mel.shape[1]]))[0][0].numpy()


def speaker_numbers(out: Numbers, shapes: Shapes, folder: Path) -> None:
    sys.path.append(str(Path(torch.__file__).parents[1] / "chatterbox" / "models" / "s3gen"))
    from xvector import CAMPPlus  # by itself: the package imports much more

    model, shapes["campplus"] = fill(CAMPPlus(growth_rate=4, bn_size=2, init_channels=16))
    features = numbers(15, 1, 230, 80)
    out["speaker"] = model(features)[0].numpy()
    path = folder / "campplus.onnx"
    torch.onnx.export(model, (features,), str(path), input_names=["x"], dynamic_axes={"x": {1: "t"}}, dynamo=False)
    import onnx

    graph = onnx.load(path).graph
    path.unlink()
    kept = [n for n in graph.node if n.op_type in ("Conv", "BatchNormalization")]
    shapes_of = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    nodes = [[node.op_type, node.name, list(node.input), list(node.output)] for node in kept]
    used = {name: shapes_of[name] for node in kept for name in node.input if name in shapes_of}
    write_json(folder / "campplus_graph.json.gz", {"nodes": nodes, "shapes": used})


def write_json(path: Path, value: object) -> None:
    path.write_bytes(gzip.compress(json.dumps(value).encode(), mtime=0))


@torch.inference_mode()
def main(folder: str, cosyvoice: str, matcha: str) -> None:
    import_reference(cosyvoice, matcha)
    out: Numbers = {}
    shapes: Shapes = {}
    mel = flow_numbers(out, shapes)
    vocoder_numbers(out, shapes, mel)
    language_model_numbers(out, shapes)
    third_numbers(out, shapes)
    front_numbers(out, shapes)
    speaker_numbers(out, shapes, Path(folder))
    write_json(Path(folder) / "cosyvoice2_shapes.json.gz", shapes)
    np.savez_compressed(Path(folder) / "cosyvoice2.npz", **out)
    print({name: values.shape for name, values in out.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
