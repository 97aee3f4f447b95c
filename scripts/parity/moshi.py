"""Reference numbers for tests/engines/test_moshi.py: NVIDIA's PersonaPlex and Kyutai's Moshi with small random weights.

python scripts/parity/moshi.py personaplex NVIDIA_PERSONAPLEX/moshi tests/engines/data
python scripts/parity/moshi.py moshi KYUTAI_MOSHI/moshi tests/engines/data
(in this order; needs torch, numpy, einops, safetensors, tqdm, huggingface_hub). The folders are those of the Python
packages of the repositories. Weights come from the tensors' names (`moshi_weight`), inputs from seeds, so only outputs
are stored. Moshi's code is newer than what PersonaPlex's began with: its ring of keys and values no longer takes its
oldest entry for one of the future. `with_whole_ring` does the same for PersonaPlex's.
"""

import gzip
import json
import sys
import types
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from support.named_weights import moshi_weight

SIZES = {"dim": 64, "num_heads": 4, "num_layers": 3, "context": 48, "text_card": 48}
DEPTH = {"depformer_dim": 32, "depformer_num_heads": 4, "depformer_num_layers": 2}
SEANET = {"dimension": 32, "n_filters": 2}
CODEC = {"num_heads": 4, "num_layers": 2, "context": 10, "d_model": 32, "dim_feedforward": 64}
FRAMES, SILENT, VOICE = 50, 6, 12
ROLE = [5, 9, 30, 41, 7, 22, 13, 8]


def noise(seed: int, frames: int) -> np.ndarray:
    """Sound [1, 1, samples]."""
    return 0.3 * np.random.RandomState(seed).standard_normal((1, 1, frames * 1920)).astype(np.float32)


def codes(seed: int, *shape: int) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 2048, shape)


def filled(model: Any, shapes: dict[str, list[int]]) -> Any:
    """The model with weights from the names."""
    state = {name: torch.tensor(moshi_weight(name, tuple(shape))) for name, shape in shapes.items()}
    model.load_state_dict(state, strict=True)
    return model.eval()


def shapes(model: Any) -> dict[str, list[int]]:
    return {name: list(one.shape) for name, one in model.state_dict().items()}


def sizes(loaders: Any, depth: int) -> dict[str, Any]:
    return {**loaders._lm_kwargs, **SIZES, **DEPTH, "depformer_dim_feedforward": int(4.125 * 32), "dep_q": depth}


def mimi(loaders: Any) -> Any:
    """The codec as the reference builds it, with small widths."""
    seanet = {**loaders._seanet_kwargs, **SEANET}
    between = {**loaders._transformer_kwargs, **CODEC, "input_dimension": 32, "output_dimensions": [32]}
    quantizer = {**loaders._quantizer_kwargs, "dimension": 16, "n_q": 12, "input_dimension": 32, "output_dimension": 32}
    encoder, decoder = loaders.SEANetEncoder(**seanet), loaders.SEANetDecoder(**seanet)
    return loaders.MimiModel(
        encoder,
        decoder,
        loaders.SplitResidualVectorQuantizer(**quantizer),
        channels=1,
        sample_rate=24000,
        frame_rate=12.5,
        encoder_frame_rate=24000 / encoder.hop_length,
        causal=True,
        resample_method="conv",
        encoder_transformer=loaders.transformer.ProjectedTransformer(**between),
        decoder_transformer=loaders.transformer.ProjectedTransformer(**between),
    )


def frames_of(codec: Any, sound: np.ndarray) -> Any:
    """The codes of each frame [1, 8, 1]."""
    for start in range(0, sound.shape[2], 1920):
        yield codec.encode(torch.tensor(sound[:, :, start : start + 1920]))


def answered(generator: Any, codec: Any, seed: int) -> dict[str, np.ndarray]:
    """What is said while noise is heard: tokens [frames, 1 + depth], and every 16th sample."""
    codec.reset_streaming()
    tokens, sound = [], []
    for heard in frames_of(codec, noise(seed, FRAMES)):
        said = generator.step(heard)
        if said is not None:
            tokens.append(said[0, :, 0].numpy())
            sound.append(codec.decode(said[:, 1:9])[0, 0, ::16].numpy())
    return {"tokens": np.array(tokens).astype(np.int16), "sound": np.array(sound)}


def save(path: Path, found: dict[str, Any]) -> None:
    np.savez_compressed(path, **found)


def with_whole_ring(transformer: Any) -> None:
    """Let the oldest entry of a full ring count."""
    before = transformer.RingKVCache.complete

    def complete(ring: Any, keys: torch.Tensor, values: torch.Tensor) -> Any:
        result = before(ring, keys, values)
        places, last = torch.arange(ring.capacity), ring.end_offset - 1
        behind = places - last % ring.capacity
        positions = torch.where(behind <= 0, last + behind, last + behind - ring.capacity)
        return result._replace(positions=torch.where(places >= ring.end_offset, -1, positions))

    transformer.RingKVCache.complete = complete


def personaplex(out: Path) -> None:
    reference, loaders = (import_module(f"moshi.models.{name}") for name in ("lm", "loaders"))
    with_whole_ring(loaders.transformer)
    codec = mimi(loaders)
    skeletons = {depth: reference.LMModel(**sizes(loaders, depth)) for depth in (8, 16)}
    named = {"codec": shapes(codec), **{str(depth): shapes(one) for depth, one in skeletons.items()}}
    (out / "moshi_tiny.json.gz").write_bytes(gzip.compress(json.dumps(named).encode(), mtime=0))
    codec, model = filled(codec, named["codec"]), filled(skeletons[16], named["16"])
    codec.set_num_codebooks(8)
    codec.streaming_forever(1)
    found = coded(codec)
    generator = reference.LMGen(
        model, "cpu", use_sampling=False, audio_silence_frame_cnt=SILENT, sample_rate=24000, frame_rate=12.5
    )
    found["forced"] = forced(model, generator)
    found |= conversation("role", generator, codec, 4)
    generator.voice_prompt, generator.save_voice_prompt_embeddings = str(out / "moshi_voice.wav"), True
    generator.voice_prompt_audio = noise(5, VOICE)[0]
    found |= conversation("recorded", generator, codec, 6)  # writes moshi_voice.pt, too
    generator.load_voice_prompt_embeddings(str(out / "moshi_voice.pt"))
    found |= conversation("saved", generator, codec, 6)
    save(out / "moshi_personaplex.npz", found)


def coded(codec: Any) -> dict[str, np.ndarray]:
    """The codes of noise [frames, 8], and every 16th sample of the sound of random codes."""
    heard = np.concatenate([one[0].numpy() for one in frames_of(codec, noise(1, FRAMES))], 1)
    played = codes(2, FRAMES, 1, 8, 1)
    sound = np.array([codec.decode(torch.tensor(one))[0, 0, ::16].numpy() for one in played])
    return {"codes": heard.T.astype(np.int16), "decoded": sound}


def forced(model: Any, generator: Any) -> np.ndarray:
    """The normed output of the transformer over frames [frames - 1, dim] while all tokens are forced."""
    hidden: list[np.ndarray] = []
    forward = model.forward_codes

    def recorded(tokens: torch.Tensor) -> Any:
        result = forward(tokens)
        hidden.append(result[0][0, 0].numpy())
        return result

    model.forward_codes = recorded
    generator.streaming_forever(1)
    for frame in codes(3, FRAMES, 16):
        person, own = (torch.tensor(part)[None, :, None] for part in (frame[:8], frame[8:]))
        generator.step(person, own, int(frame[0]) % 48)
    return np.array(hidden)


def conversation(name: str, generator: Any, codec: Any, seed: int) -> dict[str, np.ndarray]:
    generator.reset_streaming()
    generator.text_prompt_tokens = ROLE
    codec.reset_streaming()
    generator.step_system_prompts(codec)
    return {f"{name}.{key}": value for key, value in answered(generator, codec, seed).items()}


def moshi(out: Path) -> None:
    reference, loaders = (import_module(f"moshi.models.{name}") for name in ("lm", "loaders"))

    named = json.loads(gzip.decompress((out / "moshi_tiny.json.gz").read_bytes()))
    codec = filled(mimi(loaders), named["codec"])
    codec.set_num_codebooks(8)
    model = filled(reference.LMModel(**sizes(loaders, 8)), named["8"])
    generator = reference.LMGen(model, use_sampling=False)
    codec.streaming_forever(1)
    generator.streaming_forever(1)
    save(out / "moshi_moshi.npz", answered(generator, codec, 7))


if __name__ == "__main__":
    which, package, folder = sys.argv[1:]
    sys.path.insert(0, package)
    sys.modules["sphn"] = MagicMock(spec=types.ModuleType)
    with torch.no_grad():
        {"personaplex": personaplex, "moshi": moshi}[which](Path(folder))
