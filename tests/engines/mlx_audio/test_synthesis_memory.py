"""What synthesis claims for its keys and values, beside what the package's own caches come to."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.test_families import noise, request
from support import tiny_bridge
from support.claimed_memory import (
    SeenCaches,
    check_job_refused,
    check_no_claim,
    claimed,
    claimed_and_used,
    room,
)
from support.engine_runs import pcm, told
from support.metal_arithmetic import in_float32

from speechmlx.engines import mlx_audio
from speechmlx.engines.lm.footprint import Unlimited
from speechmlx.engines.mlx_audio import package
from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.imitation import MOST_READ
from speechmlx.engines.mlx_audio.synthesis import Synthesizer
from speechmlx.engines.mlx_audio.synthesis_memory import KEPT, kept_bytes
from speechmlx.engines.mlx_audio.tree import replace_weights
from speechmlx.errors import BadRequest, Busy
from speechmlx.models.bridge import families
from speechmlx.types import ReferenceVoice, Speak, SpeakStream

FULL, SHORTER = 270, 100
"""Frames of answers here. The first are more than a cache has room for at first, which is for 256."""
HEARD = 30
"""Frames of a recording here."""
TEXT = "Hello world, this is another test of some words that take a while to say, and then some more of them!"
NONE = {"kitten_tts", "omnivoice"}
IMITATING = ("breeze_tts", "fish_drama3", "fish_qwen3_omni", "pocket_tts", "voxcpm", "voxcpm2")


@pytest.fixture(autouse=True)
def gathers_any_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLX multiplies by gathered matrices in float32 alone on a CPU; a GPU does so in any type, as here."""
    if mx.default_device().type == mx.cpu:
        monkeypatch.setattr(mx, "gather_mm", in_float32(mx.gather_mm))


@pytest.fixture
def seen(bridged: Load, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SeenCaches]:
    """Watch the caches of a family."""

    def watch(family: str) -> SeenCaches:
        found, cache = SeenCaches(), importlib.import_module("mlx_audio.lm.models.cache")
        for kind, name in ((cache.KVCache, "update_and_fetch"), (cache.ArraysCache, "__setitem__")):
            monkeypatch.setattr(kind, name, found.watching(getattr(kind, name)))
        if family == "fish_drama3":
            drama = package.inside("tts", family, "drama3")
            copied = drama._copy_cache

            def copy(old: Any) -> Any:
                new = copied(old)
                found.caches.add(new)
                return new

            monkeypatch.setattr(drama, "_copy_cache", copy)
        if family.startswith("voxcpm"):
            network = package.inside("tts", family, "minicpm").MiniCPMModel
            called = network.__call__

            def call(self: Any, *given: Any, **named: Any) -> Any:
                out, kept = called(self, *given, **named)
                if named.get("is_causal", True):  # the others look at a patch alone
                    found.tuples[id(self)] = sum(array.nbytes for pair in kept for array in pair)
                    found.look()
                return out, kept

            monkeypatch.setattr(network, "__call__", call)
        return found

    return watch


def endless(engine: Any, kind: mx.Dtype = mx.float32) -> Synthesizer:
    """The engine with weights of a type, which writes as many frames as it may: random weights end where they like."""
    family, model = engine.checkpoint.family, structural_clone(engine.checkpoint.model)
    replace_weights(model, lambda array: array.astype(kind) if mx.issubdtype(array.dtype, mx.floating) else array)
    if family == "fish_drama3":
        model.eos_id = -1
    elif family == "soprano":
        model._stop_token_id, model.tokenizer = -1, SimpleNamespace(encode=model.tokenizer.encode, eos_token_id=-1)
    elif family == "qwen3_tts":
        model.config.talker_config.codec_eos_token_id = 1 << 20
    elif family == "breeze_tts":
        sample = model._sample
        model._sample = lambda logits, allow_eos=False, **manner: sample(logits, **manner)
    elif family == "voxtral_tts":
        frame = model.acoustic_transformer.decode_one_frame
        model.acoustic_transformer.decode_one_frame = lambda hidden: mx.maximum(frame(hidden), 2)
    return Synthesizer(dataclasses.replace(engine.checkpoint, model=model))


def long(family: str, frames: int = FULL, **fields: Any) -> Speak:
    options = {**tiny_bridge.OPTIONS.get(f"tts/{family}", {}), **fields.pop("options", {})}
    if family != "pocket_tts":
        options["max_tokens"] = frames
    if family.startswith("fish"):
        options["streaming_interval"] = 0.02  # its tiny codec has few positions
    return Speak(text=TEXT, options=options, **fields)


@pytest.mark.parametrize("kind", [mx.float32, mx.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("family", KEPT)
def test_a_claim_holds_what_comes_and_little_more(
    bridged: Load, seen: Callable[[str], SeenCaches], family: str, kind: mx.Dtype
) -> None:
    engine = endless(bridged(f"tts/{family}"), kind)
    claimed_and_used(engine, long(family, FULL if kind == mx.float32 else SHORTER), seen(family))


@pytest.mark.parametrize("family", IMITATING)
def test_a_recording_is_counted(bridged: Load, seen: Callable[[str], SeenCaches], family: str) -> None:
    engine, found = endless(bridged(f"tts/{family}")), seen(family)
    seconds = HEARD / KEPT[family].rate(engine.checkpoint.model)
    voice = ReferenceVoice(noise(seconds, 1, 48000), TEXT, family)
    without = claimed(engine, long(family, SHORTER))
    assert without < claimed_and_used(engine, long(family, SHORTER, voice=voice), found)
    assert (engine.held > 0) is (family == "fish_drama3")


def drama_voice(engine: Synthesizer, number: int, text: str = TEXT) -> Speak:
    """A short answer in the voice of a recording."""
    recording = noise(HEARD / KEPT["fish_drama3"].rate(engine.checkpoint.model), number, 48000)
    return long("fish_drama3", 4, voice=ReferenceVoice(recording, text, f"voice {number}"))


@pytest.fixture
def drama(bridged: Load) -> Iterator[Synthesizer]:
    """Fish Drama 3, which other tests find without voices."""
    engine = bridged("tts/fish_drama3")
    engine.imitated.forget()
    yield engine
    engine.imitated.forget()
    assert engine.held == 0


@pytest.fixture
def read(drama: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What its networks encoded and read before a text, in order."""
    done, kind = list[str](), type(drama.checkpoint.model)
    monkeypatch.setattr(kind, "_encode_audio", told(done, "encoded", kind._encode_audio))
    prefill = kind._prefill

    def fill(model: Any, frames: mx.array, caches: Any, start: int, stop: int) -> mx.array:
        done.extend(["read"] if not start else [])
        return prefill(model, frames, caches, start, stop)

    monkeypatch.setattr(kind, "_prefill", fill)
    return done


def test_a_voice_is_read_once_for_all_requests_with_the_same_words(drama: Synthesizer, read: list[str]) -> None:
    """The package keeps that on its model, where no claim counts it."""
    first, again = (pcm(drama.run(drama_voice(drama, 2))) for _ in range(2))
    assert first == again and first and read == ["encoded", "read"]
    kept = drama.held
    assert kept == drama.imitated.nbytes > 0
    assert pcm(drama.run(drama_voice(drama, 2, "Hello world."))) != first
    assert read == ["encoded", "read", "read"] and kept < drama.held < 2 * kept
    assert not drama.checkpoint.model._voices._voices


def test_few_voices_are_kept_as_they_are_read(drama: Synthesizer, read: list[str]) -> None:
    for number in (*range(MOST_READ + 1), MOST_READ, 0):
        pcm(drama.run(drama_voice(drama, number)))
    assert read.count("read") == MOST_READ + 2, "the first one left"


class Budget(Unlimited):
    """Room for `most` bytes, which nobody but the model holds."""

    def __init__(self, engine: Synthesizer, most: int) -> None:
        self._engine, self.most = engine, most

    @property
    def free(self) -> int:  # type: ignore[override]
        return self.most - self._engine.held

    def claim(self, nbytes: int) -> None:
        if nbytes > self.most:
            raise Busy("full")


def test_voices_that_were_read_leave_before_a_request_is_refused(
    drama: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = drama_voice(drama, 0)
    wanted, kept = pcm(drama.run(request)), drama.held
    needs = claimed(drama, request) - kept
    monkeypatch.setattr(drama, "room", Budget(drama, needs + kept))
    assert claimed(drama, request) == needs + kept, "there is room for both"
    drama.room = Budget(drama, needs + kept - 1)
    job = drama.run(request)
    assert drama.held == needs and pcm(job) == wanted


def test_two_sequences_are_counted(bridged: Load, seen: Callable[[str], SeenCaches]) -> None:
    """Guidance away from an instruction speaks each sentence twice."""
    engine, found = endless(bridged("tts/breeze_tts")), seen("breeze_tts")
    claimed_and_used(engine, long("breeze_tts", SHORTER, options={"instruct": "Happy.", "cfg_scale": 2.0}), found)


def test_parts_of_speakers_stay_in_the_sequence(bridged: Load, seen: Callable[[str], SeenCaches]) -> None:
    engine, found = endless(bridged("tts/fish_qwen3_omni")), seen("fish_qwen3_omni")
    text = "".join(f"<|speaker:{place}|>Hello world this is a test " for place in range(3))
    options = {"chunk_length": 40, "streaming_interval": 0.02, "max_tokens": 100}
    claimed_and_used(engine, Speak(text=text, options=options), found)


def test_quantised_weights_claim_as_plain_ones(bridged: Load) -> None:
    engine = bridged("tts/voxtral_tts")
    model = structural_clone(engine.checkpoint.model)
    nn.quantize(model.language_model, 32, 4)
    arguments = {"voice": engine.voices[0]}
    plain, quantised = (
        kept_bytes("voxtral_tts", each, "Hello.", arguments, 0.0) for each in (engine.checkpoint.model, model)
    )
    assert quantised == plain > 0


def test_every_family_claims_or_keeps_none() -> None:
    spoken = {family.name for family in families.TTS if family.kind and family.name not in mlx_audio.BATCHED}
    assert spoken == {*KEPT, *NONE}


@pytest.mark.parametrize("family", sorted(NONE))
def test_families_without_keys_and_values_claim_nothing(
    bridged: Load, seen: Callable[[str], SeenCaches], family: str
) -> None:
    engine = bridged(f"tts/{family}")
    check_no_claim(engine, lambda: engine.run(request(engine, 0)), seen(family))


@pytest.mark.parametrize("family", KEPT)
def test_what_does_not_fit_is_refused_with_the_numbers(bridged: Load, family: str) -> None:
    engine, text = bridged(f"tts/{family}"), long(family)
    engine.imitated.forget()  # what other tests left
    says = rf"the text takes \d+ MB with {family}, and this model may have \d+ MB \(--memory-limit\)"
    check_job_refused(engine, text, says)
    with room(engine, 10 * claimed(engine, text)), pytest.raises(Busy, match="wanted"):
        engine.open(SpeakStream(options=text.options))


def test_a_stream_claims_more_for_a_longer_sentence(bridged: Load) -> None:
    engine = bridged("tts/soprano")
    stream = engine.open(SpeakStream(options={"max_tokens": 4}))
    usual = engine.held
    assert list(stream.feed_text("Hello world. The ")) and engine.held == usual > 0
    assert list(stream.feed_text(f"{'9876543210 ' * 20}. The "))
    assert engine.held > usual, "numbers are written out"
    most = engine.held
    with room(engine, most), pytest.raises(BadRequest, match="the text takes"):
        list(stream.feed_text(f"{'9876543210 ' * 60}. The "))
    assert engine.held == most
    stream.close()
    assert engine.held == 0


def test_a_stream_that_is_cancelled_holds_nothing(bridged: Load, every_layer: None) -> None:
    engine = bridged("tts/voxtral_tts")
    stream = engine.open(SpeakStream(options={"max_tokens": 5}))
    steps = stream.feed_text("Hello world. The ")
    next(steps)
    assert engine.held == stream.held > 0
    steps.close()
    stream.close()
    assert engine.held == 0
