from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.torch_checkpoint import Global, checkpoint, save_old_tensors, tensor

from speechmlx.models.convert import deepfilternet, deepfilternet_hub, ecapa, gguf, hub, torch_file, whisper_hub
from speechmlx.models.convert.onnx_graph import dequantised, reordered
from speechmlx.models.convert.weights import load_tensors, save_tensors, write_json
from speechmlx.models.spec import SourceFailed

# --- PyTorch files --------------------------------------------------------------------------------------------------


def test_reads_tensors_and_views_of_them(tmp_path: Path) -> None:
    numbers = np.arange(12, dtype=np.float32)
    saved = {
        "whole": tensor("FloatStorage", "0", 12, 0, (3, 4), (4, 1)),
        "turned": tensor("FloatStorage", "0", 12, 1, (4, 2), (1, 4)),
        "parameter": Global(
            "torch._utils", "_rebuild_parameter", tensor("HalfStorage", "1", 2, 0, (2,), (1,)), True, None
        ),
        "brain": tensor("BFloat16Storage", "2", 2, 0, (2,), (1,)),
        "number": 7,
    }
    storages = {
        "0": numbers.tobytes(),
        "1": np.array([1, 2], np.float16).tobytes(),
        "2": struct.pack("<2H", 0x3F80, 0xC000),
    }
    read = torch_file.read(checkpoint(tmp_path / "model.pt", saved, storages))
    assert np.array_equal(read["whole"], numbers.reshape(3, 4))
    assert np.array_equal(read["turned"], numbers[1:9].reshape(2, 4).T)
    assert read["parameter"].tolist() == [1, 2]
    assert read["brain"].tolist() == [1.0, -2.0]
    assert read["number"] == 7


@pytest.mark.parametrize(
    ("module", "name"), [("os", "system"), ("builtins", "eval"), ("torch", "load"), ("collections", "Counter")]
)
def test_refuses_to_run_anything(tmp_path: Path, module: str, name: str) -> None:
    path = checkpoint(tmp_path / "evil.pt", Global(module, name, f"touch {tmp_path}/run"), {})
    with pytest.raises(SourceFailed, match=f"it asks for {module}.{name}"):
        torch_file.read(path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (13,), (1,)), (12, (1,), (1,)), (0, (2, 4), (9, 1)), (-1, (1,), (1,)), (5, (3,), (-1,))],
)
def test_refuses_tensors_outside_their_storage(
    tmp_path: Path, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    path = checkpoint(
        tmp_path / "evil.pt", {"t": tensor("FloatStorage", "0", 12, offset, size, stride)}, {"0": bytes(48)}
    )
    with pytest.raises(SourceFailed, match=r"outside its storage|larger than its storage"):
        torch_file.read(path)


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_refuses_what_is_no_checkpoint(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.pt").write_bytes(data)
    with pytest.raises(SourceFailed, match="is not a PyTorch checkpoint"):
        torch_file.read(tmp_path / "x.pt")


def test_an_old_file_of_pytorch_is_read_and_no_code_in_it(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.full(1, 7, np.float32)}
    path = save_old_tensors(tmp_path / "old.bin", arrays)
    found = torch_file.read(path)
    assert {name: array.tolist() for name, array in found.items()} == {
        name: array.tolist() for name, array in arrays.items()
    }
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(SourceFailed, match=r"old.bin is not a PyTorch checkpoint"):
        torch_file.read(path)
    path.write_bytes(whole.replace(b"ctorch._utils\n_rebuild_tensor_v2", b"cos\nsystem"))
    with pytest.raises(SourceFailed, match=r"asks for os\.system"):
        torch_file.read(path)
    path.write_bytes(whole.replace((6).to_bytes(8, "little"), (9).to_bytes(8, "little")))
    with pytest.raises(SourceFailed, match="another length"):
        torch_file.read(path)


# --- GGUF -----------------------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def gguf_file(path: Path, kind: int, shape: tuple[int, ...], data: bytes) -> Path:
    """A GGUF file with one tensor and one value of each type of metadata that we meet."""
    pairs = [
        text("general.name") + struct.pack("<I", 8) + text("tiny"),
        text("count") + struct.pack("<II", 4, 7),
        text("epsilon") + struct.pack("<If", 6, 0.5),
        text("words") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("ß"),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs)
    dims = struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1])
    head += text("weight") + dims + struct.pack("<IQ", kind, 0)
    path.write_bytes(head + bytes(-len(head) % 32) + data)
    return path


def halves(*values: float) -> bytes:
    return np.array(values, "<f2").tobytes()


LOW_THEN_HIGH = bytes((i % 16) | ((15 - i % 16) << 4) for i in range(16))
NIBBLES = np.array([*range(16), *reversed(range(16))], np.float32)


@pytest.mark.parametrize(
    ("kind", "data", "values"),
    [
        (0, np.arange(32, dtype="<f4").tobytes(), np.arange(32)),
        (1, np.arange(32, dtype="<f2").tobytes(), np.arange(32)),
        (2, halves(0.5) + LOW_THEN_HIGH, (NIBBLES - 8) * 0.5),
        (3, halves(0.25, -1) + LOW_THEN_HIGH, NIBBLES * 0.25 - 1),
        (8, halves(2) + np.arange(-16, 16, dtype=np.int8).tobytes(), np.arange(-16, 16) * 2),
    ],
    ids=["F32", "F16", "Q4_0", "Q4_1", "Q8_0"],
)
def test_gguf_tensor_types(tmp_path: Path, kind: int, data: bytes, values: np.ndarray[Any, Any]) -> None:
    metadata, tensors = gguf.read(gguf_file(tmp_path / "m.gguf", kind, (2, 32), data * 2))
    assert metadata == {"general.name": "tiny", "count": 7, "epsilon": 0.5, "words": ["a", "ß"]}
    assert np.array_equal(tensors["weight"], np.stack([values, values]))


@pytest.mark.parametrize(
    ("kind", "cut", "says"), [(12, None, r"tensors of type 12; we read \[0, 1, 2, 3, 8\]"), (0, 60, "not a GGUF file")]
)
def test_gguf_refuses(tmp_path: Path, kind: int, cut: int | None, says: str) -> None:
    path = gguf_file(tmp_path / "m.gguf", kind, (2, 32), bytes(256))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(SourceFailed, match=says):
        gguf.read(path)


# --- Whisper from the hub -----------------------------------------------------------------------------------------

TRANSFORMERS = {
    "model_type": "whisper", "num_mel_bins": 80, "max_source_positions": 1500, "d_model": 4, "vocab_size": 10,
    "encoder_attention_heads": 1, "encoder_layers": 1, "max_target_positions": 448,
    "decoder_attention_heads": 1, "decoder_layers": 1,
}  # fmt: skip
RENAMED = {
    "model.encoder.conv1.weight": "encoder.conv1.weight",
    "model.encoder.layer_norm.weight": "encoder.ln_post.weight",
    "model.encoder.layers.0.self_attn.q_proj.weight": "encoder.blocks.0.attn.query.weight",
    "model.encoder.layers.0.fc1.bias": "encoder.blocks.0.mlp1.bias",
    "model.decoder.embed_tokens.weight": "decoder.token_embedding.weight",
    "model.decoder.embed_positions.weight": "decoder.positional_embedding",
    "model.decoder.layers.0.encoder_attn.k_proj.weight": "decoder.blocks.0.cross_attn.key.weight",
    "model.decoder.layers.0.final_layer_norm.weight": "decoder.blocks.0.mlp_ln.weight",
}


def transformers_tensors() -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    names = {name: (4, 80, 3) if "conv" in name else (4, 4) for name in RENAMED}
    unused = dict.fromkeys(("proj_out.weight", "model.encoder.embed_positions.weight"), (4, 4))
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in {**names, **unused}.items()}


@pytest.mark.parametrize("stored", ["one file", "two files", "torch"])
def test_whisper_in_the_layout_of_transformers(tmp_path: Path, stored: str) -> None:
    files, folder = tmp_path / "files", tmp_path / "folder"
    files.mkdir()
    folder.mkdir()
    tensors = transformers_tensors()
    half = len(tensors) // 2
    match stored:
        case "one file":
            save_tensors(files / "model.safetensors", tensors)
        case "two files":
            save_tensors(files / "model-00001-of-00002.safetensors", dict([*tensors.items()][:half]))
            save_tensors(files / "model-00002-of-00002.safetensors", dict([*tensors.items()][half:]))
        case "torch":
            strides = {n: tuple(s // 4 for s in t.strides) for n, t in tensors.items()}
            saved = {n: tensor("FloatStorage", n, t.size, 0, t.shape, strides[n]) for n, t in tensors.items()}
            checkpoint(files / "pytorch_model.bin", saved, {n: t.tobytes() for n, t in tensors.items()})
    write_json(files / "config.json", TRANSFORMERS)
    write_json(files / "generation_config.json", {"alignment_heads": [[0, 0]]})
    whisper_hub.convert(files, folder)
    config, made = json.loads((folder / "config.json").read_text()), load_tensors(folder / "model.safetensors")
    assert config["n_text_ctx"] == 448
    assert config["n_audio_state"] == 4
    assert (folder / "generation_config.json").is_file()
    assert set(made) == set(RENAMED.values())
    for theirs, ours in RENAMED.items():
        expected = tensors[theirs].swapaxes(1, 2) if "conv" in theirs else tensors[theirs]
        assert np.array_equal(made[ours], expected.astype(np.float16))


@pytest.mark.parametrize("name", ["weights.npz", "weights.safetensors", "model.safetensors"])
def test_whisper_in_mlx_s_own_layout(tmp_path: Path, name: str) -> None:
    files, folder = tmp_path / "files", tmp_path / "folder"
    files.mkdir()
    folder.mkdir()
    tensors = {"encoder.conv1.weight": np.arange(6, dtype=np.float16).reshape(1, 2, 3)}
    if name.endswith("npz"):
        np.savez(files / name, allow_pickle=False, **tensors)
    else:
        save_tensors(files / name, tensors)
    write_json(files / "config.json", {"n_mels": 80, "quantization": {"bits": 4}})
    whisper_hub.convert(files, folder)
    made = load_tensors(folder / "model.safetensors")
    assert np.array_equal(made["encoder.conv1.weight"], tensors["encoder.conv1.weight"])
    assert json.loads((folder / "config.json").read_text())["quantization"] == {"bits": 4}


@pytest.mark.parametrize(
    ("config", "says"), [({"n_mels": 80}, "no weights.safetensors"), ({"model_type": "bert"}, "not a Whisper's"),
                         (TRANSFORMERS, "neither model.safetensors nor")]
)  # fmt: skip
def test_whisper_that_is_none(tmp_path: Path, config: dict[str, Any], says: str) -> None:
    write_json(tmp_path / "config.json", config)
    with pytest.raises(SourceFailed, match=says):
        whisper_hub.convert(tmp_path, tmp_path / "folder")


# --- The rest ------------------------------------------------------------------------------------------------------


def test_hub_files_are_linked(tmp_path: Path) -> None:
    files, folder = tmp_path / "files", tmp_path / "folder"
    for new in (files / "voices", files / ".cache", folder):
        new.mkdir(parents=True)
    for name in ("config.json", "kokoro-v1_0.safetensors", "voices/a.safetensors", ".cache/left"):
        if name.endswith(".safetensors"):
            save_tensors(files / name, {name: np.zeros(1)})
        else:
            (files / name).write_text(name)
    hub.one_weights_file(files, folder)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "config.json",
        "model.safetensors",
        "voices/a.safetensors",
    ]
    for name, first in (("model", "kokoro-v1_0"), ("voices/a", "voices/a")):
        assert list(load_tensors(folder / f"{name}.safetensors")) == [f"{first}.safetensors"]
    assert (folder / "config.json").stat().st_ino == (files / "config.json").stat().st_ino
    (files / "second.safetensors").touch()
    with pytest.raises(SourceFailed, match="2 files of weights"):
        hub.one_weights_file(files, tmp_path / "again")


def test_deepfilternet_biases_are_folded_the_same_from_the_hub(tmp_path: Path) -> None:
    inner, hidden = np.arange(6, dtype=np.float32), np.arange(6, 12, dtype=np.float32)
    (tmp_path / "v3").mkdir()
    write_json(tmp_path / "v3" / "config.json", {})
    save_tensors(tmp_path / "v3" / "model.safetensors", {"g.bias_ih_l0": inner, "g.bias_hh_l0": hidden})
    deepfilternet_hub.convert(tmp_path, tmp_path)
    made = load_tensors(tmp_path / "model.safetensors")
    assert made["g.bias_ih_l0"].tolist() == [6, 8, 10, 12, 4, 5]
    assert made["g.bias_hh_l0"].tolist() == [0, 0, 0, 0, 10, 11]
    again = deepfilternet.folded_biases("g", 0, made["g.bias_ih_l0"], made["g.bias_hh_l0"])
    assert all(np.array_equal(again[name], made[name]) for name in again), "folding twice changes nothing"


@pytest.mark.parametrize("bands", [24, 32])
def test_erb_bands_cover_the_spectrum_once(bands: int) -> None:
    widths = deepfilternet.erb_widths(48000, 960, bands, 2)
    assert len(widths) == bands
    assert sum(widths) == 481
    assert min(widths) >= 2


def test_quantised_tensors() -> None:
    q = np.array([[1, 2], [3, 4]], np.int8)
    assert dequantised(q, np.array(0.5), np.array(1, np.int8)).tolist() == [[0, 0.5], [1, 1.5]]
    assert dequantised(q, np.array([1.0, 2.0]), np.array([0, 1]), axis=0).tolist() == [[1, 2], [4, 6]]
    assert dequantised(q, np.array([1.0, 2.0]), np.array([0, 1]), axis=1).tolist() == [[1, 2], [3, 6]]


def test_gates_are_reordered() -> None:
    assert reordered(np.arange(8), "iofc", "ifco").tolist() == [0, 1, 4, 5, 6, 7, 2, 3]


# --- ECAPA-TDNN -----------------------------------------------------------------------------------------------------


def test_normalisations_become_scale_and_shift_and_the_last_one_part_of_the_linear_layer() -> None:
    draw = np.random.default_rng(0)

    def norm(name: str, size: int) -> dict[str, np.ndarray]:
        parts = {part: draw.standard_normal(size) for part in ("weight", "bias", "running_mean")}
        return {f"{name}.{part}": value for part, value in (parts | {"running_var": draw.random(size) + 0.5}).items()}

    checkpoint = {
        "asp.tdnn.conv.conv.weight": draw.standard_normal((4, 3, 5)),
        "asp.tdnn.conv.conv.bias": draw.standard_normal(4),
        **norm("asp.tdnn.norm.norm", 4),
        **norm("asp_bn.norm", 6),
        "fc.conv.weight": draw.standard_normal((2, 6, 1)),
        "fc.conv.bias": draw.standard_normal(2),
        "asp_bn.norm.num_batches_tracked": np.array(7),
    }
    weights = ecapa.encoder_weights(checkpoint)
    assert set(weights) == {
        *("asp.tdnn.conv.weight", "asp.tdnn.conv.bias", "asp.tdnn.norm.scale", "asp.tdnn.norm.shift"),
        *("fc.weight", "fc.bias"),
    }
    window = draw.standard_normal((5, 3))  # five taps of three channels
    convolved = np.einsum("oit,ti->o", checkpoint["asp.tdnn.conv.conv.weight"], window)
    assert np.allclose(weights["asp.tdnn.conv.weight"] @ window.reshape(-1), convolved)

    def normalised(name: str, x: np.ndarray) -> np.ndarray:
        mean, variance = checkpoint[f"{name}.running_mean"], checkpoint[f"{name}.running_var"]
        return (x - mean) / np.sqrt(variance + 1e-5) * checkpoint[f"{name}.weight"] + checkpoint[f"{name}.bias"]

    x, pooled = draw.standard_normal(4), draw.standard_normal(6)
    scaled = x * weights["asp.tdnn.norm.scale"] + weights["asp.tdnn.norm.shift"]
    assert np.allclose(scaled, normalised("asp.tdnn.norm.norm", x))
    linear = checkpoint["fc.conv.weight"][..., 0] @ normalised("asp_bn.norm", pooled) + checkpoint["fc.conv.bias"]
    assert np.allclose(weights["fc.weight"] @ pooled + weights["fc.bias"], linear)


def test_another_network_s_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoint(
        tmp_path / "embedding_model.ckpt", {"a": tensor("FloatStorage", "0", 4, 0, (4,), (1,))}, {"0": bytes(16)}
    )
    with pytest.raises(SourceFailed, match="not an ECAPA-TDNN of SpeechBrain"):
        ecapa.convert(tmp_path, tmp_path)
