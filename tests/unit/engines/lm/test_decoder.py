"""A pipelined decoder gives every row the tokens that it gets alone and unpipelined, whoever comes and goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechmlx.engines.lm.decoder import Decoder
from speechmlx.engines.lm.kv_cache import cut, evaluate, new_cache
from speechmlx.engines.lm.library import load_module
from speechmlx.engines.lm.sampling import Sampler, new_sampler

LENGTH = 8
SAMPLERS = [(0.0, 1.0, None), (0.9, 0.8, None), (0.7, 1.0, 1.3), (0.0, 1.0, 1.5)]
"""Temperature, top-p and repetition penalty of each row."""
VOCABULARY = 64


def network() -> nn.Module:
    llama = load_module("models.llama")
    mx.random.seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "vocab_size": VOCABULARY, "num_hidden_layers": 2}
    settings = {"model_type": "llama", "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5}
    model: nn.Module = llama.Model(llama.ModelArgs.from_dict(sizes | settings))
    for block in model.model.layers:  # large, so that every token depends on all tokens before it
        block.self_attn.v_proj.weight = block.self_attn.v_proj.weight * 20
    return model


MODEL = network()


@dataclass(eq=False)
class Line:
    """A row that writes LENGTH tokens at most."""

    tokens: list[int]
    sampler: Sampler
    cache: list[Any] | None
    last: int
    ahead: int | None = None
    written: list[int] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        return len(self.written) == LENGTH


def line(number: int) -> Line:
    prompt = [(7 * number + place) % VOCABULARY for place in range(number + 3)]
    cache = new_cache(MODEL)
    MODEL(mx.array([prompt[:-1]]), cache=cache)
    evaluate(cache)
    temperature, top_p, penalty = SAMPLERS[number]
    return Line(prompt, new_sampler(temperature, top_p, penalty, seed=number), cache, len(prompt) + LENGTH)


def step(decoder: Decoder[Line], lines: list[Line]) -> None:
    for row, token in decoder.step(lines):
        row.tokens.append(token)
        row.written.append(token)
        if row.finished:
            decoder.remove(row)


def alone(number: int) -> list[int]:
    row, decoder = line(number), Decoder[Line](MODEL, pipelined=False)
    while not row.finished:
        step(decoder, [row])
    return row.written


ALONE = [alone(number) for number in range(4)]


def test_the_rows_differ_so_that_a_mistake_shows() -> None:
    assert len({tuple(tokens) for tokens in ALONE}) == 4
    assert all(len(set(tokens)) > 2 for tokens in ALONE[1:])


@given(st.booleans(), st.lists(st.sets(st.integers(0, 3), min_size=1), max_size=16))
def test_any_order_of_rows(pipelined: bool, chosen: list[set[int]]) -> None:
    decoder, lines = Decoder[Line](MODEL, pipelined), [line(number) for number in range(4)]
    for numbers in chosen:
        if stepping := [lines[number] for number in sorted(numbers) if not lines[number].finished]:
            step(decoder, stepping)
    while stepping := [row for row in lines if not row.finished]:
        step(decoder, stepping)
    assert [row.written for row in lines] == ALONE


@pytest.mark.parametrize("pipelined", [False, True])
def test_a_row_gets_a_token_in_each_step_and_none_in_vain_at_its_limit(pipelined: bool) -> None:
    decoder, row = Decoder[Line](MODEL, pipelined), line(1)
    start = len(row.tokens) - 1
    for count in range(1, LENGTH + 1):
        step(decoder, [row])
        assert row.written == ALONE[1][:count]
        if count == LENGTH // 2:
            assert decoder._batch.cache[0].offset == start + count + pipelined
    assert row.cache is not None and row.cache[0].offset == start + LENGTH


def test_a_row_goes_on_after_a_pause_with_the_token_that_was_launched() -> None:
    decoder, one, other = Decoder[Line](MODEL, pipelined=True), line(1), line(2)
    step(decoder, [one])
    step(decoder, [other])  # the token of `one` is read and waits; the other begins in the next step
    assert (one.ahead, other.written) == (ALONE[1][1], ALONE[2][:1])
    step(decoder, [one, other])
    assert (one.ahead, other.ahead) == (None, None)
    assert (one.written, other.written) == (ALONE[1][:2], ALONE[2][:2])


def test_a_row_that_joins_waits_for_no_more_than_the_launched_tokens() -> None:
    decoder, one, other = Decoder[Line](MODEL, pipelined=True), line(1), line(2)
    step(decoder, [one])
    step(decoder, [one, other])
    assert (one.written, other.written) == (ALONE[1][:2], [])
    step(decoder, [one, other])
    assert (one.written, other.written) == (ALONE[1][:3], ALONE[2][:1])


def test_what_was_launched_is_freed_with_the_last_row() -> None:
    decoder, one, other = Decoder[Line](MODEL, pipelined=True), line(1), line(2)
    step(decoder, [one, other])
    decoder.remove(one)
    assert decoder._pending is not None
    decoder.remove(other)
    assert decoder._pending is None
    step(decoder, [third := line(3)])
    assert third.written == ALONE[3][:1]


def test_a_paused_row_goes_on_with_tokens_that_it_was_given() -> None:
    """In a batch of the same rows as before, whose next tokens were launched without them."""

    def written(decoder: Decoder[Line], row: Line, others: list[Line]) -> list[int]:
        step(decoder, [row, *others])
        decoder.pause(row)
        assert row.cache is not None and row.ahead is None
        cut(row.cache, len(row.tokens) - 1)
        row.tokens += [5, 6]
        MODEL(mx.array([row.tokens[-3:-1]]), cache=row.cache)
        while len(row.written) < 4:
            step(decoder, [row, *others])
        return row.written

    lone = written(Decoder[Line](MODEL, pipelined=False), line(0), [])
    other = line(1)
    assert written(Decoder[Line](MODEL, pipelined=True), line(0), [other]) == lone != ALONE[0][:4]
    assert other.written == ALONE[1][: len(other.written)] and len(other.written) >= 4
