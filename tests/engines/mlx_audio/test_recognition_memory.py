"""What recognition claims for its keys and values, beside what the package's own caches come to."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from engines.mlx_audio.conftest import Load
from engines.mlx_audio.test_families import job, noise
from mlx.utils import tree_flatten, tree_map
from support.claimed_memory import SeenCaches, check_job_refused, check_no_claim, claimed, claimed_and_used

from speechmlx.engines.mlx_audio.clone import structural_clone
from speechmlx.engines.mlx_audio.recognition import Recognizer
from speechmlx.engines.mlx_audio.recognition_memory import HEARD, most_tokens
from speechmlx.models.bridge import families
from speechmlx.types import Transcribe

NONE = {
    "stt/granite_speech5_ctc",
    "stt/granite_speech_nar",
    "stt/mms",
    "stt/nemotron_asr",
    "stt/parakeet",
    "stt/qwen3_forced_aligner",
    "stt/sensevoice",
    "vad/sortformer",
    "vad/nemotron_diarization",
    "sts/mossformer2_se",
    "sts/mel_roformer",
    "lid/ecapa_tdnn",
    "lid/wav2vec2",
}
"""Measured here: nothing in them is given keys and values of an earlier step."""
ANYWHERE = [family for family in HEARD if family != "voxtral_realtime"]
"""Voxtral's windows are measured in test_live_voxtral.py."""
SECONDS = 20.0


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], SeenCaches]:
    """Watch the caches of an engine's family: objects, and what its modules are given in parameters of that name."""

    def watch(engine: Any) -> SeenCaches:
        found, kind = SeenCaches(), importlib.import_module("mlx_audio.lm.models.cache").KVCache
        monkeypatch.setattr(kind, "update_and_fetch", found.watching(kind.update_and_fetch))
        outer = Outermost(found)
        for module in caching(f"mlx_audio.{engine.checkpoint.part}.models.{engine.checkpoint.family}"):
            monkeypatch.setattr(module, "__call__", outer.watching(module.__call__))
        return found

    return watch


def caching(package: str) -> Iterator[type[nn.Module]]:
    """The modules' classes of a family whose call has a cache."""
    for name, module in list(sys.modules.items()):
        for value in list(vars(module).values()) if f"{name}.".startswith(f"{package}.") else ():
            own = isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == name
            if own and any("cache" in parameter for parameter in inspect.signature(value.__call__).parameters):
                yield value


class Outermost:
    """Counts the arrays in the caches of those calls that are in no other of them."""

    def __init__(self, found: SeenCaches) -> None:
        self._found = found
        self._depth = 0

    def watching(self, called: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(called)

        @wraps(called)  # the package looks at what a model takes
        def call(*given: Any, **named: Any) -> Any:
            self._depth += 1
            try:
                out = called(*given, **named)
            finally:
                self._depth -= 1
            if not self._depth:
                bound = signature.bind(*given, **named).arguments
                self._look(given[0], [value for name, value in bound.items() if "cache" in name], out)
            return out

        return call

    def _look(self, module: nn.Module, caches: list[Any], out: Any) -> None:
        if any(isinstance(cache, mx.array) for cache in caches):
            caches.append(out)  # a layer's states so far, which with the new one are what is kept next
        arrays = {id(leaf): leaf.nbytes for _, leaf in tree_flatten(caches) if isinstance(leaf, mx.array)}
        self._found.tuples[id(module)] = sum(arrays.values())
        self._found.look()


class Endless:
    """A tokenizer without an end: random weights end where they like."""

    eos_token_id = eos_id = -1

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def endless(engine: Any, kind: mx.Dtype = mx.float32) -> Recognizer:
    """The engine with weights of a type, which writes as many tokens as it may."""
    family, model = engine.checkpoint.family, structural_clone(engine.checkpoint.model)
    model.update(
        tree_map(lambda one: one.astype(kind) if mx.issubdtype(one.dtype, mx.floating) else one, model.parameters())
    )
    if family == "moonshine":
        model.config.eos_token_id = -1
    elif family == "glmasr":
        model.config.lm_config.eos_token_id = []
    elif family == "fireredasr2":
        model.decoder.eos_id = -1
    elif family == "qwen2_audio":
        model._processor = SimpleNamespace(tokenizer=Endless(model._processor.tokenizer))
    else:
        model._tokenizer = Endless(model._tokenizer)
    return Recognizer(dataclasses.replace(engine.checkpoint, model=model))


def heard(engine: Any, seconds: float = SECONDS, **fields: Any) -> Transcribe:
    language = "en" if engine.accepted.first("language", "source_lang") else None
    return Transcribe(audio=noise(seconds, 1), vad=False, language=language, **fields)


@pytest.mark.parametrize("kind", [mx.float32, mx.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("family", ANYWHERE)
def test_a_claim_holds_what_comes_and_little_more(
    bridged: Load, seen: Callable[[Any], SeenCaches], family: str, kind: mx.Dtype
) -> None:
    engine = endless(bridged(f"stt/{family}"), kind)
    claimed_and_used(engine, heard(engine), seen(engine))


@pytest.mark.parametrize("family", ["fun_asr_nano", "granite_speech", "moss_transcribe_diarize", "qwen3_asr"])
def test_words_of_the_client_are_counted(bridged: Load, seen: Callable[[Any], SeenCaches], family: str) -> None:
    engine = endless(bridged(f"stt/{family}"))
    found, words = seen(engine), tuple(f"a name with number {place}" for place in range(60))
    without = claimed(engine, heard(engine, 2.0))
    assert without < claimed_and_used(engine, heard(engine, 2.0, hotwords=words), found)


def test_every_family_claims_or_keeps_none() -> None:
    others = (family for family in families.FAMILIES if family.kind and family.part != "tts")
    assert {f"{family.part}/{family.name}" for family in others} == {*(f"stt/{name}" for name in HEARD), *NONE}


@pytest.mark.parametrize("name", sorted(NONE))
def test_families_without_keys_and_values_claim_nothing(
    bridged: Load, seen: Callable[[Any], SeenCaches], name: str
) -> None:
    engine = bridged(name)
    check_no_claim(engine, lambda: job(engine, 0), seen(engine))


@pytest.mark.parametrize("family", ANYWHERE)
def test_what_does_not_fit_is_refused_with_the_numbers(bridged: Load, family: str) -> None:
    engine = bridged(f"stt/{family}")
    says = rf"a recording of 2 s takes \d+ MB with {family}, and this model may have \d+ MB \(--memory-limit\)"
    check_job_refused(engine, heard(engine, 1.5), says)


def test_a_part_of_a_long_recording_is_counted_and_not_all_of_it(bridged: Load) -> None:
    engine = bridged("stt/qwen3_asr")
    short, long, longer = (claimed(engine, heard(engine, seconds)) for seconds in (2.0, 30.0, 300.0))
    assert short < long == longer
    assert most_tokens(30.0) == 512
