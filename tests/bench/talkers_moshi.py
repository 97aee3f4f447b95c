"""Moshi beside mlx-audio's: a frame of 80 ms of one live conversation, from the person's sound to the model's.

Ours is the engine. The peer's is its `generate`, with the sampling of ours; it takes codes, so the `encode_step` of its
codec comes before. "The network alone" has no codec on either side. The peer has no PersonaPlex.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import frames
import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from report import Row
from support import tiny_moshi
from support.engine_runs import result

from speechmlx.engines import LoadOptions, moshi
from speechmlx.engines.moshi.frame import MoshiFrames, MoshiSampling
from speechmlx.engines.moshi.network import MoshiNetwork
from speechmlx.engines.moshi.sizes import VOICED, MoshiSizes
from speechmlx.engines.weights import read_config
from speechmlx.models.convert.weights import save_tensors
from speechmlx.types import Converse, Feed

CODEC = {**tiny_moshi.CODEC, "layers": 8}
COUNTED = {"layers": 32, "depth_layers": 6}
"""As many layers as the published model has; counts do not depend on widths."""
TIMED = {"dim": 512, "heads": 8, "layers": 8, "depth_dim": 256, "depth_heads": 4, "depth_layers": 6}
"""A quarter of its layers over frames."""
STEPS = 150
"""Frames that the peer has room for; all that are timed are fewer."""
FRAME = np.random.default_rng(0).standard_normal(1920, dtype=np.float32) * np.float32(0.1)


def write(at: Path, depth: int, sizes: dict[str, int]) -> Path:
    """A model's folder, with what the peer looks for in it too."""
    folder = tiny_moshi.folder(at, depth, **sizes, codec=CODEC)
    network = MoshiNetwork(MoshiSizes.of(read_config(folder)))
    (folder / "model.safetensors").unlink()
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(network.parameters())))
    codec = tiny_moshi.weights("codec")
    for name in [name for name in codec if "transformer.layers.0." in name]:
        codec |= {name.replace(".0.", f".{layer}."): codec[name] for layer in range(2, CODEC["layers"])}
    unused = [f"quantizer.rvq_rest.vq.layers.{place}." for place in range(VOICED - 1, 32)]
    codec = {name: one for name, one in codec.items() if not name.startswith(tuple(unused))}
    (folder / "codec.safetensors").unlink()
    save_tensors(folder / "codec.safetensors", codec)
    (folder / "tokenizer-e351c8d8-checkpoint125.safetensors").symlink_to(folder / "codec.safetensors")
    (folder / "tokenizer_spm_32k_3.model").symlink_to(folder / "tokenizer.model")
    return folder


class NoCodec:
    """In the place of ours: samples are codes."""

    def __init__(self, codec: Any) -> None:
        self.sizes, self.encoding, self.decoding = codec.sizes, codec.encoding, codec.decoding

    def encode(self, samples: mx.array, state: Any) -> tuple[mx.array, Any]:
        return samples[:, :VOICED].astype(mx.int32), state

    def decode(self, codes: mx.array, state: Any) -> tuple[mx.array, Any]:
        return codes.astype(mx.float32), state


def ours(folder: Path, codec: bool) -> frames.Stepper:
    engine = result(moshi.load(folder, LoadOptions(device="cpu", warm_up=False)))
    if not codec:
        step: Any = engine._step
        engine._step = MoshiFrames(step.network, NoCodec(step.codec), MoshiSampling(), "cpu")  # type: ignore[arg-type]
    state = engine.begin(Converse())

    def frame() -> object:
        engine.feed(state, Feed(FRAME))
        return engine.step([state])

    while state.reading is not None:
        engine.step([state])
    return frame


class NoTokenizer:
    """In the place of the peer's codec: codes are samples."""

    def encode(self, samples: Any) -> None:
        pass

    def decode(self, codes: np.ndarray) -> None:
        self._codes = codes

    def get_encoded(self) -> None:
        pass

    def get_decoded(self) -> np.ndarray:
        return self._codes


class Heard:
    """Codes of the next frame of the person, whichever is asked for."""

    def __init__(self, codec: Any) -> None:
        self._codec = codec

    def __getitem__(self, frame: slice) -> mx.array:
        codes: mx.array = self._codec.encode_step(mx.array(FRAME)[None, None])[:, :, 0]
        return codes


def peer(folder: Path, codec: bool) -> frames.Stepper:
    from mlx_audio.sts.models.moshi import moshi as theirs
    from mlx_audio.sts.models.moshi.utils.sampling import Sampler

    sizes, drawing = MoshiSizes.of(read_config(folder)), MoshiSampling()
    network = _peer_network(theirs.moshi_lm.config_v0_1(), sizes)
    codec_sizes = _peer_codec(theirs.mimi_202407(VOICED))
    with (
        patch.object(theirs.moshi_lm, "config_v0_1", lambda: network),
        patch.object(theirs, "mimi_202407", lambda _: codec_sizes),
    ):
        model = theirs.MoshiSTSModel(theirs.MoshiConfig())
        model.load_weights(str(folder))
    heard = Heard(model.audio_tokenizer.model) if codec else mx.zeros((STEPS, VOICED), mx.int32)
    if not codec:
        model.audio_tokenizer = NoTokenizer()
    text = Sampler(temp=drawing.text_temperature, top_k=drawing.text_top_k)
    codes = Sampler(temp=drawing.temperature, top_k=drawing.top_k)
    samplers = iter((text, codes))
    generated = model.generate(heard, STEPS)
    with patch.object(theirs.moshi_utils, "Sampler", lambda **_: next(samplers)):
        next(generated)
    return lambda: next(generated)


def _peer_network(published: Any, sizes: MoshiSizes) -> Any:
    """The peer's config in these sizes."""
    frame = {"d_model": sizes.dim, "num_heads": sizes.heads, "num_layers": sizes.layers}
    depth = {"d_model": sizes.depth_dim, "num_heads": sizes.depth_heads, "num_layers": sizes.depth_layers}
    inner = published.depformer.transformer
    return replace(
        published,
        transformer=replace(published.transformer, **frame, dim_feedforward=4 * sizes.dim, context=sizes.context),
        depformer=replace(
            published.depformer, transformer=replace(inner, **depth, dim_feedforward=4 * sizes.depth_dim)
        ),
        text_in_vocab_size=sizes.text_count + 1,
        text_out_vocab_size=sizes.text_count,
    )


def _peer_codec(published: Any) -> Any:
    """The peer's codec in the sizes of CODEC."""
    layers = {"d_model": CODEC["dim"], "num_heads": CODEC["heads"], "num_layers": CODEC["layers"]}
    layers |= {"dim_feedforward": CODEC["feed_forward"], "context": CODEC["context"]}
    return replace(
        published,
        seanet=replace(published.seanet, dimension=CODEC["dim"], nfilters=CODEC["filters"]),
        transformer=replace(published.transformer, **layers),
        quantizer_dim=CODEC["code_dim"],
    )


def systems(folder: Path, codec: bool) -> frames.Systems:
    return {"ours": partial(ours, folder, codec), "mlx-audio": partial(peer, folder, codec)}


def rows(place: Path, rounds: int) -> list[Row]:
    """What one frame takes, in `place`; rounds 0: counts alone."""
    found = list[Row]()
    if rounds:
        folder = write(place / "timed", 8, TIMED)
        found.append(frames.timed("Moshi: a frame", systems(folder, codec=True), rounds))
        found.append(frames.timed("Moshi, the network alone: a frame", systems(folder, codec=False), rounds))
    folder = write(place / "counted", 8, COUNTED)
    found += frames.counted("Moshi", systems(folder, codec=True))
    found += frames.counted("Moshi, the network alone", systems(folder, codec=False))
    personaplex = write(place / "personaplex", 16, COUNTED)
    return found + frames.counted("PersonaPlex", {"ours": partial(ours, personaplex, codec=True)})
