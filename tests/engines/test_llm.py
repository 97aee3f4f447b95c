"""Language models: real answers, the same alone and in a batch, from checkpoints of several kinds."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten
from support.answers import CHUNK, QUESTIONS, answers, ask, new, text
from support.small_chat_model import network, save, small_chat_model

from speechmlx.engines import Batched, LoadOptions, llm
from speechmlx.engines.llm.chat import Chat
from speechmlx.engines.llm.engine import LanguageModelEngine, Seat
from speechmlx.engines.lm import decoder, prefix_cache, sampling
from speechmlx.engines.lm.sampling import Sampler
from speechmlx.errors import BadRequest, ModelUnavailable, Unsupported
from speechmlx.types import Enhance, FunctionCall, Generate, Message, TextDelta, Usage

MODEL = "smollm2-135m-instruct"


def test_it_answers_and_stops(engine: LanguageModelEngine):
    (events,) = answers(engine, [ask(QUESTIONS[0], max_tokens=50)])
    assert text(events) == "The capital of France is Paris."
    assert [type(event) for event in events] == [TextDelta, Usage] + [TextDelta] * 6 + [Usage]
    assert events[1] == Usage(tokens_in=37, tokens_out=1)  # of an answer that will be stopped, too
    assert events[-1] == Usage(tokens_in=37, tokens_out=8)  # the end of the turn is a token
    assert sum(event.tokens for event in events if isinstance(event, TextDelta)) == 7


def test_it_stops_at_max_tokens(engine: LanguageModelEngine):
    (events,) = answers(engine, [ask("Count to a hundred.", max_tokens=5)])
    assert (events[-1].tokens_out, events[-1].cut_off) == (5, True)


def test_a_last_word_at_the_limit_is_not_cut_off(engine: LanguageModelEngine):
    (events,) = answers(engine, [ask(QUESTIONS[0], max_tokens=8)])
    assert events[-1] == Usage(tokens_in=37, tokens_out=8)


def test_a_batch_answers_what_each_gets_alone(engine: LanguageModelEngine):
    requests = [ask(question) for question in QUESTIONS]
    alone = [text(answers(engine, [request])[0]) for request in requests]
    assert [text(events) for events in answers(engine, requests)] == alone


def test_seats_may_come_go_and_wait_between_steps(engine: LanguageModelEngine):
    requests = [ask(question) for question in QUESTIONS]
    alone = [text(answers(engine, [request])[0]) for request in requests]

    def some(step: int, unfinished: list[Seat]) -> list[Seat]:
        chosen = [seat for i, seat in enumerate(unfinished) if (step // 2 + i) % 3]
        return chosen or unfinished[:1]

    assert [text(events) for events in answers(engine, requests, some)] == alone


def test_a_long_prompt_is_read_in_pieces_while_others_go_on(engine: LanguageModelEngine):
    engine = new(engine)
    short, long = engine.begin(ask(QUESTIONS[1])), engine.begin(ask("word " * 200, max_tokens=1))
    engine.step([short])
    steps = 0
    while not long.finished:
        written, other = engine.step([short, long])
        assert written, "the short one writes in every step"
        steps += 1
    assert other[-1] == Usage(tokens_in=long.prompt, tokens_out=1)
    assert steps == math.ceil((long.prompt - 1) / 64) + 1
    engine.end(short)
    engine.end(long)


def test_a_seed_gives_the_same_words_alone_and_in_a_batch(engine: LanguageModelEngine):
    drawn = [ask("Tell me a story.", temperature=0.9, top_p=0.9, seed=seed) for seed in (1, 1, 2)]
    together = [text(events) for events in answers(engine, [*drawn, ask(QUESTIONS[0])])]
    assert together[0] == together[1] != together[2]
    assert text(answers(engine, drawn[:1])[0]) == together[0]
    assert together[3].startswith("The capital of France")


def test_a_repetition_penalty_ends_repetition(engine: LanguageModelEngine):
    request = "Repeat the word yes many times: yes yes yes yes yes yes"
    plain, penalised = answers(engine, [ask(request), ask(request, repetition_penalty=5.0)])
    assert len(set(text(penalised).lower().split())) > len(set(text(plain).lower().split()))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"temperature": -1.0}, "temperature is -1; allowed is 0 to 5"),
        ({"top_p": 0.0}, "top_p is 0; allowed is above 0 and up to 1"),
        ({"repetition_penalty": 0.0}, "repetition_penalty is 0"),
        ({"max_tokens": 0}, "max_tokens is 0; allowed is 1 and more"),
        ({"messages": ()}, "at least one message"),
    ],
)
def test_settings_outside_what_is_allowed_are_refused(engine: LanguageModelEngine, wrong: dict[str, Any], says: str):
    with pytest.raises(BadRequest, match=says):
        engine.begin(Generate(**{"messages": (Message("user", "Hi"),), **wrong}))
    with pytest.raises(Unsupported, match="writes messages"):
        engine.begin(Enhance())


def test_the_context_holds_prompt_and_answer(engine: LanguageModelEngine):
    small = LanguageModelEngine(engine._model, engine._chat, context=40, chunk=CHUNK, max_batch=8)
    (events,) = answers(small, [ask(QUESTIONS[2], max_tokens=50)])
    assert events[-1] == Usage(tokens_in=38, tokens_out=2, cut_off=True)
    with pytest.raises(BadRequest, match=r"the prompt is \d+ tokens; the model takes 40"):
        small.begin(ask("word " * 50))


def test_the_oldest_of_a_long_chat_is_left_out(engine: LanguageModelEngine):
    small = LanguageModelEngine(engine._model, engine._chat, context=128, chunk=CHUNK, max_batch=8)
    turns = [Message("user" if turn % 2 else "assistant", f"turn {turn} " + "word " * 20) for turn in range(20)]
    chat = (Message("system", "Be brief."), *turns, Message("user", QUESTIONS[0]))
    seat = small.begin(Generate(messages=chat, max_tokens=12, drops_oldest=True))
    prompt = engine._chat._tokenizer.decode(seat.tokens, skip_special_tokens=False)
    assert seat.prompt <= 116 and seat.limit == 12
    assert "Be brief." in prompt and "turn 19" in prompt and QUESTIONS[0] in prompt and "turn 0" not in prompt
    with pytest.raises(BadRequest, match="the model takes 128"):
        small.begin(Generate(messages=chat, max_tokens=12))
    with pytest.raises(BadRequest, match="the model takes 128"):  # nothing is old in it
        small.begin(Generate(messages=(Message("user", "word " * 200),), max_tokens=12, drops_oldest=True))


def test_results_go_with_the_call_they_belong_to(engine: LanguageModelEngine):
    small = LanguageModelEngine(engine._model, engine._chat, context=96, chunk=CHUNK, max_batch=8)
    chat = (Message("assistant", "call " * 60), Message("tool", "result"), Message("user", "Hi."))
    seat = small.begin(Generate(messages=chat, max_tokens=12, drops_oldest=True))
    assert "result" not in engine._chat._tokenizer.decode(seat.tokens)


def test_no_character_comes_in_halves(engine: LanguageModelEngine):
    written = "naïve 你好 😀👩‍👩‍👧 – done"
    decoder = engine._chat.decoder([])
    pieces = [decoder.decode(token) for token in engine._chat._tokenizer.encode(written).ids]
    assert "".join(pieces) == written and "" in pieces


def test_reasoning_and_calls_leave_the_engine_typed(engine: LanguageModelEngine):
    tools = ({"type": "function", "name": "f", "parameters": {}},)
    written = '<think>Hm.</think>Let me see. <tool_call>{"name": "f", "arguments": {"x": 1}}</tool_call>'
    tokens = [*engine._chat._tokenizer.encode(written).ids, min(engine._chat.stops)]
    seat = engine.begin(ask("Hi", tools=tools, max_tokens=len(tokens)))
    events = [event for token in tokens for event in engine._add(seat, token)]
    engine.end(seat)
    texts = [event for event in events if isinstance(event, TextDelta)]
    assert "".join(event.text for event in texts) == "Let me see."
    assert texts[0].tokens > 5, "the tokens of reasoning are counted with the text after it"
    assert events[-2:] == [FunctionCall("f", '{"x": 1}'), Usage(tokens_in=seat.prompt, tokens_out=len(tokens))]


def test_a_prompt_goes_on_from_what_an_earlier_one_read(engine: LanguageModelEngine):
    system = Message("system", "You are a pirate, and you answer in one sentence. " * 4)
    chats = [Generate(messages=(system, Message("user", question)), max_tokens=12) for question in QUESTIONS]
    expected = [text(answers(new(engine), [chat])[0]) for chat in chats]
    small = new(engine)
    first = small.begin(chats[0])
    assert first.read == 0
    small.step([first])  # given up when all of it but its last tokens was read
    small.end(first)
    others = [small.begin(chat) for chat in chats]
    assert all(40 < seat.read < seat.prompt - 1 for seat in others)
    for seat in others:
        small.end(seat)
    assert [text(answers(small, [chat])[0]) for chat in chats] == expected
    assert [text(events) for events in answers(small, chats)] == expected
    longer = (*chats[0].messages, Message("assistant", expected[0]), Message("user", "Why?"))
    assert small.begin(Generate(messages=longer)).read >= len(first.tokens)


def test_what_ends_frees_its_memory_but_for_some_tokens(engine: LanguageModelEngine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prefix_cache, "KEPT", 60)
    small = new(engine)
    answers(small, [ask(QUESTIONS[0])])
    mx.clear_cache()
    before = mx.get_active_memory()
    seats = [small.begin(ask(question)) for question in QUESTIONS]
    for _ in range(4):
        small.step(seats)
    assert mx.get_active_memory() > before + 1_000_000
    for seat in seats:
        small.end(seat)
    mx.clear_cache()
    assert mx.get_active_memory() < before + 500_000
    assert [len(kept.tokens) for kept in small._prefixes.entries] == [
        small._prefixes.entries[0].cache[0].offset
    ]  # one more than 60 would hold


def test_it_is_a_batched_engine_of_float32_on_a_cpu(engine: LanguageModelEngine, options: LoadOptions):
    assert isinstance(engine, Batched) and engine.max_batch == 8
    if options.device == "cpu":
        assert 530e6 < engine.nbytes < 550e6


def test_loading_does_not_import_transformers_nor_touch_the_wired_limit(tiny: Path, options: LoadOptions):
    code = f"""
import sys, pathlib, mlx.core as mx
mx.set_wired_limit = None
from speechmlx.engines import LoadOptions, llm
for _ in llm.load(pathlib.Path({str(tiny)!r}), {options!r}): pass
assert "transformers" not in sys.modules and "mlx_lm" not in sys.modules
import mlx_lm.models.llama
from mlx_lm import generate
assert callable(generate)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- Checkpoints: a small network with random weights, the real tokenizer ------------------------------------------


@pytest.fixture(scope="module")
def tiny(model_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_chat_model(model_folder(MODEL), tmp_path_factory.mktemp("tiny"))


def logits(engine: LanguageModelEngine) -> mx.array:
    return engine._model(mx.array([[5, 6, 7, 8]]))[0, -1]


@pytest.mark.parametrize("bits", [4, 8])
def test_quantised_checkpoints_are_plain_on_a_cpu_and_stay_so_on_a_gpu(
    tiny: Path, tmp_path: Path, loaded: Callable[..., Any], cpu: LoadOptions, bits: int
):
    folder = tmp_path / "quantised"
    shutil.copytree(tiny, folder)
    config = json.loads((tiny / "config.json").read_text())
    model = network(config)
    nn.quantize(model, group_size=32, bits=bits)
    save(model, folder)
    (folder / "config.json").write_text(json.dumps(config | {"quantization": {"group_size": 32, "bits": bits}}))
    plain = loaded(llm.load(folder, cpu))
    packed = loaded(llm.load(folder, LoadOptions(device="gpu", warm_up=False)))
    assert plain.nbytes > 2 * packed.nbytes
    assert {array.dtype for _, array in tree_flatten(plain._model.parameters())} == {mx.float32}
    assert mx.allclose(logits(plain), logits(packed), atol=1e-4)
    assert mx.allclose(logits(plain), model(mx.array([[5, 6, 7, 8]]))[0, -1], atol=1e-4)


def test_half_precision_checkpoints_are_float32_on_a_cpu(
    tiny: Path, tmp_path: Path, loaded: Callable[..., Any], cpu: LoadOptions
):
    folder = tmp_path / "half"
    shutil.copytree(tiny, folder)
    model = network(json.loads((tiny / "config.json").read_text()))
    model.set_dtype(mx.bfloat16)
    save(model, folder)
    engine = loaded(llm.load(folder, cpu))
    assert {array.dtype for _, array in tree_flatten(engine._model.parameters())} == {mx.float32}


def test_a_gpu_is_warm_for_a_chat_alone_for_a_batch_and_for_what_is_drawn(
    tiny: Path, loaded: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    rows: list[int] = []
    drawn: list[bool] = []

    def counted(logits: mx.array, samplers: Sequence[Sampler], tokens: Sequence[Sequence[int]]) -> mx.array:
        rows.append(len(samplers))
        drawn.extend(sampler.compiled and not sampler.is_greedy for sampler in samplers)
        return sampling.sample(logits, samplers, tokens)

    monkeypatch.setattr(decoder, "sample", counted)
    loaded(llm.load(tiny, LoadOptions(device="gpu")))
    assert set(rows) == {1, 2} and all(drawn)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model_type": "no_such_model"}, "cannot load .* of type 'no_such_model'"),
        ({"hidden_size": 32}, "cannot load"),
        ({"model_file": "evil.py"}, "cannot load"),
    ],
)
def test_what_mlx_lm_does_not_know_is_an_error(
    tiny: Path, tmp_path: Path, loaded: Callable[..., Any], change: dict[str, Any], says: str, options: LoadOptions
):
    folder = tmp_path / "wrong"
    shutil.copytree(tiny, folder)
    config = json.loads((tiny / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(ModelUnavailable, match=says):
        loaded(llm.load(folder, options))


# --- Chat templates ------------------------------------------------------------------------------------------------


def chat(tiny: Path, tmp_path: Path, template: Any) -> Chat:
    folder = tmp_path / "chat"
    shutil.copytree(tiny, folder)
    settings = json.loads((tiny / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": template}))
    return Chat(folder)


def test_a_template_may_refuse(tiny: Path, tmp_path: Path):
    refusing = chat(tiny, tmp_path, "{{ raise_exception('roles must alternate') }}")
    with pytest.raises(BadRequest, match="roles must alternate"):
        refusing.encode([Message("user", "Hi")])


def test_a_template_gets_tools_special_tokens_and_json(tiny: Path, tmp_path: Path):
    named = [
        {"name": "other", "template": "no"},
        {"name": "default", "template": "{{ eos_token }}{{ tools | tojson }}{{ messages[0]['content'] }}"},
    ]
    given = chat(tiny, tmp_path, named)
    ids = given.encode([Message("user", "é")], [{"name": "f"}])
    wrapped = '<|im_end|>[{"type": "function", "function": {"name": "f"}}]é'
    assert given._tokenizer.decode(ids, skip_special_tokens=False) == wrapped
    assert given.encode([Message("user", "é")], [{"type": "function", "function": {"name": "f"}}]) == ids
    assert given.stops == {2}


@pytest.mark.parametrize(
    ("template", "written"),
    [
        ("{{ messages[0]['content'] }}<think>\n", "<think>Hi"),
        ("{% if enable_thinking is false %}<think></think>{% else %}<think>{% endif %}", "Hi"),
    ],
)
def test_a_thought_that_the_template_begins_is_part_of_the_text(
    tiny: Path, tmp_path: Path, template: str, written: str
):
    given = chat(tiny, tmp_path, template)
    decoder = given.decoder(given.encode([Message("user", "x")]))
    assert "".join(decoder.decode(token) for token in given._tokenizer.encode("Hi").ids) == written


def test_a_template_cannot_reach_out(tiny: Path, tmp_path: Path):
    reaching = chat(tiny, tmp_path, "{{ messages.__class__.__mro__ }}")
    with pytest.raises(BadRequest, match="unsafe"):
        reaching.encode([Message("user", "Hi")])


def test_a_model_without_a_template_or_tokenizer_is_refused(tiny: Path, tmp_path: Path):
    with pytest.raises(ModelUnavailable, match="no chat template"):
        chat(tiny, tmp_path, None)
    with pytest.raises(ModelUnavailable, match=r"no tokenizer\.json"):
        Chat(tmp_path)
