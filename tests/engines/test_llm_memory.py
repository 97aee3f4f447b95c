"""The memory of a language model's requests: counted before they run, and refused with the numbers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten
from support.worker_bench import Bench

from speechmlx.engines import Claiming, LoadOptions, llm
from speechmlx.engines.llm.engine import LanguageModelEngine
from speechmlx.engines.lm.footprint import STEP
from speechmlx.engines.parts.held_arrays import arrays_of
from speechmlx.engines.whisper.engine import Whisper
from speechmlx.errors import BadRequest, Busy
from speechmlx.models.catalog import CATALOG
from speechmlx.runtime.ipc.messages import CancelJob, Failure, OutputConsumed, Setup, Start
from speechmlx.types import Audio, Generate, Message, TextDelta, Transcribe

MODEL = "smollm2-135m-instruct"
PER_TOKEN = 2 * 2 * 1 * 32 * 4
"""Bytes: keys and values, layers, heads, width, float32."""


@pytest.fixture(scope="module")
def small(model_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of two layers with random weights, and the real tokenizer."""
    from mlx_lm.models import llama

    source, folder = model_folder(MODEL), tmp_path_factory.mktemp("memory") / MODEL
    folder.mkdir()
    config = json.loads((source / "config.json").read_text())
    config |= {"hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 64, "num_attention_heads": 2}
    config |= {"num_key_value_heads": 1, "head_dim": 32}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)
    mx.random.seed(0)
    model = llama.Model(llama.ModelArgs.from_dict(config))
    mx.save_safetensors(str(folder / "model.safetensors"), dict(tree_flatten(model.parameters())))
    return folder


@pytest.fixture
def engine(small: Path, loaded: Callable[..., Any], cold: LoadOptions) -> LanguageModelEngine:
    return loaded(llm.load(small, cold))


def ask(text: str, **settings: Any) -> Generate:
    return Generate(messages=(Message("user", text),), **settings)


def test_what_the_warm_up_read_is_not_kept(small: Path, loaded: Callable[..., Any], options: LoadOptions) -> None:
    engine = loaded(llm.load(small, options))
    assert engine.held == 0
    assert sum(array.nbytes for array in arrays_of(engine)) == pytest.approx(engine.nbytes, rel=0.01)


class Chats(Bench):
    """A worker with the small model."""

    def __init__(self, folder: Path, memory: int, context: int = 8192) -> None:
        super().__init__(warm_up=False)
        self.worker.handle(Setup(memory, 0.0, context))
        self._folder = str(folder)

    def chat(self, text: str = "Hi.", **settings: Any) -> int:
        self._id += 1
        self.worker.handle(Start(self._id, ask(text, **settings), CATALOG.resolve(MODEL), self._folder))
        return self._id

    def read(self, job: int) -> None:
        """Let the job run to its end: its reader takes all."""
        self.worker.handle(OutputConsumed(job, 1 << 20))
        self.run()

    def refusal(self, job: int) -> Failure:
        self.run()
        failure = self.end(job).failure
        assert failure is not None
        return failure

    def run_to_end(self, job: int) -> None:
        self.read(job)
        assert self.end(job).failure is None


@pytest.fixture
def weights(engine: LanguageModelEngine) -> int:
    return engine.nbytes


def test_a_token_takes_what_config_json_says(engine: LanguageModelEngine) -> None:
    assert isinstance(engine, Claiming) and engine.token_bytes == PER_TOKEN


def test_the_context_is_that_of_the_setting_or_of_the_model(
    small: Path, loaded: Callable[..., Any], cold: LoadOptions
) -> None:
    own = json.loads((small / "config.json").read_text())["max_position_embeddings"]
    for setting, context in ((64, 64), (own + 1, own)):
        engine = loaded(llm.load(small, replace(cold, context=setting)))
        with pytest.raises(BadRequest, match=f"the model takes {context}, answer included$"):
            engine.begin(ask("word " * (own + 10)))


def test_the_setting_reaches_the_model(small: Path) -> None:
    bench = Chats(small, 1 << 31, context=64)
    refused = bench.refusal(bench.chat("word " * 100))
    assert refused.code == "bad_request" and refused.message.endswith("the model takes 64, answer included")


def test_a_gpu_reads_few_tokens_at_first_and_launches_one_before_the_last_is_read(
    small: Path, loaded: Callable[..., Any], cold: LoadOptions
) -> None:
    engine = loaded(llm.load(small, replace(cold, device="gpu")))
    seat = engine.begin(ask("word " * 20))
    engine.step([seat])
    assert seat.read == 32 < seat.prompt - 1
    while len(seat.tokens) == seat.prompt:
        engine.step([seat])
    assert engine._decoder._pending is not None and seat.sampler.compiled
    engine.end(seat)


def test_open_requests_count_at_their_full_length_and_then_what_is_kept(engine: LanguageModelEngine) -> None:
    assert engine.held == 0
    short, long = engine.begin(ask("Hi.", max_tokens=10)), engine.begin(ask("word " * 300, max_tokens=20))
    assert engine.held == 2 * (long.prompt + 20 + STEP) * PER_TOKEN
    while not (short.finished and long.finished):
        engine.step([seat for seat in (short, long) if not seat.finished])
    held = sum(layer.keys.nbytes + layer.values.nbytes for seat in (short, long) for layer in seat.cache or ())
    assert held <= engine.held
    engine.end(short)
    engine.end(long)
    assert engine.held == sum(len(entry.tokens) for entry in engine._prefixes.entries) * PER_TOKEN > 0


def test_a_request_that_others_leave_no_room_for_is_refused_before_it_runs(small: Path, weights: int) -> None:
    bench = Chats(small, 1 << 31)
    first = bench.chat("Hi.", max_tokens=300)
    bench.run(20)
    assert bench.events(first) and not bench.ended(first)
    bench.worker.handle(Setup(weights + 1000 * PER_TOKEN, 0.0))
    refused = bench.refusal(bench.chat("Hello.", max_tokens=300))
    assert (refused.code, refused.retry_after) == ("busy", 5.0)
    wanted, own, budget = (int(n) for n in re.findall(r"(\d+) MB", refused.message)[:3])
    assert (own, budget) == (round(weights / 1e6), round((weights + 1000 * PER_TOKEN) / 1e6)) and wanted > 0
    bench.run_to_end(first)
    bench.run_to_end(bench.chat("Hello.", max_tokens=300))


def test_a_request_that_could_never_fit_is_the_clients(small: Path, weights: int) -> None:
    bench = Chats(small, 1 << 31)
    bench.run_to_end(bench.chat("Hi.", max_tokens=1))
    bench.worker.handle(Setup(weights + (STEP + 100) * PER_TOKEN, 0.0))
    refused = bench.refusal(bench.chat("word " * 200))
    assert refused.code == "bad_request"
    assert re.search(r"the prompt is \d+ tokens; the model takes 100, answer included: its keys and", refused.message)
    short = bench.chat("Hi.", max_tokens=1000)
    bench.run_to_end(short)  # a prompt that fits gets an answer as long as there is room for
    assert sum(event.tokens for event in bench.events(short) if isinstance(event, TextDelta)) < 100


class OtherModels:
    """A Room in which other models that do not leave hold all but `reachable` bytes."""

    def __init__(self, most: int, reachable: int) -> None:
        self.most, self.reachable, self.free = most, reachable, reachable

    def claim(self, nbytes: int) -> None:
        if nbytes > self.reachable:
            raise Busy("others hold it", retry_after=5.0)


def test_beside_models_that_stay_an_answer_is_as_long_as_there_is_room_for(engine: LanguageModelEngine) -> None:
    engine.room = OtherModels((STEP + 1000) * PER_TOKEN, (STEP + 100) * PER_TOKEN)
    seat = engine.begin(ask("Hi.", max_tokens=4096))
    assert seat.prompt + seat.limit == 100
    engine.end(seat)
    with pytest.raises(Busy, match="others hold it"):
        engine.begin(ask("word " * 200))
    with pytest.raises(BadRequest, match="the model takes 1000, answer included"):
        engine.begin(ask("word " * 1100))
    chat = tuple(Message("user", "word " * 30) for _ in range(20))
    shortened = engine.begin(Generate(messages=chat, max_tokens=50, drops_oldest=True))
    assert shortened.prompt < 100


def test_what_is_kept_for_later_prompts_goes_first(small: Path, weights: int) -> None:
    bench = Chats(small, 1 << 31)
    bench.run_to_end(bench.chat("word " * 600, max_tokens=1))
    engine = bench.worker._slots[MODEL].engine
    assert isinstance(engine, LanguageModelEngine) and engine._prefixes.tokens > 600
    bench.worker.handle(Setup(weights + 1000 * PER_TOKEN, 0.0))
    bench.run_to_end(bench.chat("Hello.", max_tokens=500))
    assert engine._prefixes.tokens < 700


def test_a_request_that_is_cancelled_gives_its_room_back(small: Path, weights: int) -> None:
    bench = Chats(small, 1 << 31)
    job = bench.chat("Hi.", max_tokens=300)
    bench.run(20)
    engine = bench.worker._slots[MODEL].engine
    assert isinstance(engine, LanguageModelEngine) and engine.held > 300 * PER_TOKEN
    bench.worker.handle(CancelJob(job))
    bench.run()
    assert engine.held < 100 * PER_TOKEN


def test_the_seats_of_recognition_count(
    loaded: Callable[..., Any], model_folder: Callable[[str], Path], cold: LoadOptions
) -> None:
    import numpy as np

    from speechmlx.engines import whisper

    engine = loaded(whisper.load(model_folder("whisper-tiny.en"), cold))
    assert isinstance(engine, Whisper) and isinstance(engine, Claiming) and engine.held == 0
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    state = engine.begin(Transcribe(audio=Audio(noise, 16_000), vad=False, temperatures=(0.0,)))
    most = 0
    while not state.finished:
        engine.step([state])
        most = max(most, engine.held)
    engine.end(state)
    dims = engine.network.dims
    audio_and_text = dims.n_audio_ctx + dims.n_text_ctx
    assert most >= 2 * dims.n_text_layer * dims.n_text_state * audio_and_text * 4
    assert engine.held == 0
