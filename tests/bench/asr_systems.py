"""One recognizer in a process of its own: `asr_systems.py SYSTEM FOLDER MATERIAL.npz` prints a line of JSON before and
after each part, with what it took and said.

Every system gets the same weights (faster-whisper in int8 besides), on a CPU in float32: mlx-whisper and mlx-audio
would keep float16 as stored, which MLX's CPU backend multiplies many times slower. On a GPU all on MLX run in float16.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Many = Callable[[Sequence[np.ndarray]], list[str]]
"""Recordings at 16 kHz, handed in at once → their texts."""

RATE = 16_000
PEERS = Path(__file__).parents[2] / ".venv/peers"


def on_gpu() -> bool:
    import mlx.core as mx

    return bool(mx.default_device().type == mx.gpu)


def ours(folder: Path, beams: int = 1) -> Many:
    from support.engine_runs import result

    from speechmlx.engines import whisper
    from speechmlx.runtime.worker.device import device
    from speechmlx.types import Audio, Segment, Transcribe

    engine = result(whisper.load(folder, device()[0]))

    def run(recordings: Sequence[np.ndarray]) -> list[str]:
        asked = [Transcribe(audio=Audio(samples, RATE), language="en", beam_size=beams) for samples in recordings]
        states = [engine.begin(request) for request in asked]
        texts = ["" for _ in states]
        while live := [index for index, state in enumerate(states) if not state.finished][: engine.max_batch]:
            for index, events in zip(live, engine.step([states[index] for index in live]), strict=True):
                texts[index] += "".join(event.text for event in events if isinstance(event, Segment))
                if states[index].finished:
                    engine.end(states[index])
        return texts

    return run


def mlx_whisper(folder: Path) -> Many:
    from mlx_whisper import transcribe

    def run(recordings: Sequence[np.ndarray]) -> list[str]:
        said = [
            transcribe(
                samples,
                path_or_hf_repo=str(folder),
                language="en",
                fp16=on_gpu(),
                condition_on_previous_text=False,
            )
            for samples in recordings
        ]
        return [str(result["text"]) for result in said]

    return run


def mlx_audio(folder: Path) -> Many:
    import mlx.core as mx
    from mlx_audio.stt import load

    model: Any = load(str(folder))
    if not on_gpu():  # it makes float16 of any weights
        model.dtype = mx.float32
        model.set_dtype(mx.float32)

    def run(recordings: Sequence[np.ndarray]) -> list[str]:
        options = {"language": "en", "condition_on_previous_text": False, "fp16": on_gpu()}
        return [model.generate(mx.array(samples), **options).text for samples in recordings]

    return run


def faster_whisper(folder: Path, compute: str, beam: int) -> Many:
    sys.path.insert(0, str(PEERS))
    from faster_whisper import WhisperModel

    model = WhisperModel(str(folder), device="cpu", compute_type=compute)

    def run(recordings: Sequence[np.ndarray]) -> list[str]:
        texts = []
        for samples in recordings:
            said, _ = model.transcribe(samples, language="en", beam_size=beam, condition_on_previous_text=False)
            texts.append("".join(segment.text for segment in said))
        return texts

    return run


SYSTEMS: dict[str, tuple[str, Callable[[Path], Many]]] = {
    "speechmlx": ("mlx", ours),
    "mlx-whisper": ("mlx", mlx_whisper),
    "mlx-audio": ("mlx", mlx_audio),
    "speechmlx, beam 5": ("mlx", lambda folder: ours(folder, 5)),
    "faster-whisper float32": ("ct2", lambda folder: faster_whisper(folder, "float32", 1)),
    "faster-whisper float32, beam 5": ("ct2", lambda folder: faster_whisper(folder, "float32", 5)),
    "faster-whisper int8": ("ct2", lambda folder: faster_whisper(folder, "int8", 1)),
}
"""Name → which copy of the weights it reads, and how it is made."""


# --- the same weights for everybody ---


def prepare(folder: Path, out: Path) -> dict[str, Path]:
    """Copies of the model in `folder` for each kind of system, made in `out`."""
    import mlx.core as mx

    stored: Any = mx.load(str(folder / "model.safetensors"))
    weights = {name: array.astype(mx.float32) for name, array in stored.items()}
    config = json.loads((folder / "config.json").read_text())
    multilingual = config["n_vocab"] >= 51865
    for kind in ("mlx", "ct2"):
        (out / kind).mkdir()
        _tokenizer(multilingual, config["n_vocab"]).save(str(out / kind / "tokenizer.json"))
    mx.save_safetensors(str(out / "mlx/model.safetensors"), stored if on_gpu() else weights)
    (out / "mlx/weights.safetensors").symlink_to("model.safetensors")
    (out / "mlx/config.json").write_text(json.dumps(config))
    _processor(out / "mlx", config["n_mels"])
    _ctranslate2({name: np.array(array) for name, array in weights.items()}, config, out / "ct2")
    return {"mlx": out / "mlx", "ct2": out / "ct2"}


def _specials(multilingual: bool) -> list[str]:
    from speechmlx.engines.whisper.model.tokenizer import Vocabulary

    languages = Vocabulary(51865).languages
    inner = ["translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps"]
    return [f"<|{name}|>" for name in ["endoftext", "startoftranscript", *languages, *inner]]


def _ranks(multilingual: bool) -> dict[bytes, int]:
    from speechmlx.engines.parts.whisper_package import package_folder

    path = package_folder() / "assets" / ("multilingual.tiktoken" if multilingual else "gpt2.tiktoken")
    lines = (line.split() for line in path.read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def _letters() -> dict[int, str]:
    """GPT-2's printable letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(rest)}


def _tokenizer(multilingual: bool, size: int) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    ranks, letters = _ranks(multilingual), _letters()

    def spelled(token: bytes) -> str:
        return "".join(letters[byte] for byte in token)

    merges: Any = [
        tuple(map(spelled, _halves(token, ranks))) for token in sorted(ranks, key=ranks.__getitem__) if len(token) > 1
    ]
    tokenizer = Tokenizer(models.BPE({spelled(token): rank for token, rank in ranks.items()}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in _specials(multilingual)])
    tokenizer.add_tokens([AddedToken(f"<|{index * 0.02:.2f}|>", normalized=False) for index in range(1501)])
    assert tokenizer.get_vocab_size() == size
    return tokenizer


def _halves(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """The two tokens whose merge makes `token`: merge the earliest pairs until two are left."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        order = [ranks.get(parts[i] + parts[i + 1], len(ranks)) for i in range(len(parts) - 1)]
        first = min(range(len(order)), key=order.__getitem__)
        parts[first : first + 2] = [parts[first] + parts[first + 1]]
    return parts


def _processor(folder: Path, n_mels: int) -> None:
    end = "<|endoftext|>"
    names = dict.fromkeys(["bos_token", "eos_token", "unk_token", "pad_token"], end)
    tokenizer = {"tokenizer_class": "WhisperTokenizer", "processor_class": "WhisperProcessor", **names}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    extractor = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": n_mels, "sampling_rate": RATE}
    shape = {"hop_length": 160, "n_fft": 400, "chunk_length": 30, "n_samples": 30 * RATE, "nb_max_frames": 3000}
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor | shape))


def _ctranslate2(weights: dict[str, np.ndarray], config: dict[str, int], out: Path) -> None:
    sys.path.insert(0, str(PEERS))
    from ctranslate2.specs.whisper_spec import WhisperSpec

    from speechmlx.engines.whisper.model.alignment_heads import known_heads
    from speechmlx.engines.whisper.model.network import sinusoids
    from speechmlx.engines.whisper.model.tokenizer import Vocabulary

    c = config
    spec = WhisperSpec(c["n_audio_layer"], c["n_audio_head"], c["n_text_layer"], c["n_text_head"])
    for conv in ("conv1", "conv2"):
        side = getattr(spec.encoder, conv)
        side.weight = np.ascontiguousarray(weights[f"encoder.{conv}.weight"].swapaxes(1, 2))
        side.bias = weights[f"encoder.{conv}.bias"]
    spec.encoder.position_encodings.encodings = np.array(sinusoids(c["n_audio_ctx"], c["n_audio_state"]))
    spec.decoder.position_encodings.encodings = weights["decoder.positional_embedding"]
    spec.decoder.embeddings.weight = weights["decoder.token_embedding.weight"]
    spec.decoder.projection.weight = weights["decoder.token_embedding.weight"]
    for name, part, norm in (("encoder", spec.encoder, "ln_post"), ("decoder", spec.decoder, "ln")):
        _norm(part.layer_norm, weights, f"{name}.{norm}")
        for index, layer in enumerate(part.layer):
            _layer(layer, weights, f"{name}.blocks.{index}")
    vocabulary = Vocabulary(c["n_vocab"])
    size = vocabulary.eot
    letters = _letters()
    ranks = _ranks(vocabulary.multilingual)
    tokens = ["".join(letters[byte] for byte in token) for token in sorted(ranks, key=ranks.__getitem__)]
    tokens += _specials(vocabulary.multilingual)
    tokens += [f"<|{index * 0.02:.2f}|>" for index in range(1501)]
    assert len(tokens) == c["n_vocab"] and size < len(tokens)
    spec.register_vocabulary(tokens)
    heads = known_heads(c["n_text_layer"], c["n_text_head"], c["n_vocab"]) or {}
    spec.config.alignment_heads = [[layer, head] for layer, found in heads.items() for head in found]
    spec.config.suppress_ids = sorted(vocabulary.non_speech)
    spec.config.suppress_ids_begin = list(vocabulary.blank)
    spec.config.lang_ids = list(vocabulary.language_tokens) if vocabulary.multilingual else []
    spec.validate()
    spec.optimize("float32")
    spec.save(str(out))


def _norm(spec: Any, weights: dict[str, np.ndarray], name: str) -> None:
    spec.gamma, spec.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]


def _joined(spec: Any, weights: dict[str, np.ndarray], names: Sequence[str]) -> None:
    """Several products of one input as one; the keys have no bias."""
    found = [weights[f"{name}.weight"] for name in names]
    zeros = np.zeros(len(found[0]), np.float32)
    spec.weight = np.concatenate(found)
    spec.bias = np.concatenate([weights.get(f"{name}.bias", zeros) for name in names])


def _layer(spec: Any, weights: dict[str, np.ndarray], name: str) -> None:
    attention = spec.self_attention
    _norm(attention.layer_norm, weights, f"{name}.attn_ln")
    _joined(attention.linear[0], weights, [f"{name}.attn.{part}" for part in ("query", "key", "value")])
    _joined(attention.linear[1], weights, [f"{name}.attn.out"])
    if hasattr(spec, "attention"):
        cross = spec.attention
        _norm(cross.layer_norm, weights, f"{name}.cross_attn_ln")
        _joined(cross.linear[0], weights, [f"{name}.cross_attn.query"])
        _joined(cross.linear[1], weights, [f"{name}.cross_attn.{part}" for part in ("key", "value")])
        _joined(cross.linear[2], weights, [f"{name}.cross_attn.out"])
    _norm(spec.ffn.layer_norm, weights, f"{name}.mlp_ln")
    _joined(spec.ffn.linear_0, weights, [f"{name}.mlp1"])
    _joined(spec.ffn.linear_1, weights, [f"{name}.mlp2"])


def main() -> None:
    system, folder, material = sys.argv[1:]
    with np.load(material) as stored:
        parts = json.loads(str(stored["parts"]))
        recordings = {part: [stored[f"{part}.{index}"] for index in range(count)] for part, count in parts.items()}
    run = SYSTEMS[system][1](Path(folder))
    run(recordings["clip"])
    for part, samples in recordings.items():
        _say({"begun": part})
        best: dict[str, Any] = {}
        for _ in range(3 if part == "clip" else 1):
            start, used = time.perf_counter(), time.process_time()
            texts = run(samples)
            taken = time.perf_counter() - start
            if not best or taken < best["seconds"]:
                best = {"seconds": taken, "cpu_seconds": time.process_time() - used, "texts": texts}
        _say({"part": part} | best)


def _say(found: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
