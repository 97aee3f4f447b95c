"""The timestamp rules hold for any logits at all, and equal a plain reading of openai/whisper's."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.graph import kernels
from support.plain_mlx import plain_mlx

from speechmlx.engines.whisper.decoding.sampling import LAST_INITIAL, Chooser, Ids, SamplingRules, choice, trace
from speechmlx.engines.whisper.model.network import GPU, cpu_kernels
from speechmlx.engines.whisper.model.tokenizer import Vocabulary

KERNELS = cpu_kernels()
VOCABULARY = Vocabulary(51864)
FIRST = VOCABULARY.timestamps
SUPPRESS = tuple(sorted({*VOCABULARY.special, *VOCABULARY.non_speech}))


def chosen(
    rows: list[list[int]], logits: np.ndarray, rules: SamplingRules, first: bool
) -> tuple[list[int], list[float]]:
    chooser = Chooser([rules] * len(rows), VOCABULARY, KERNELS)
    token, logprob, after = chooser.choose(mx.array(logits), trace(rows, VOCABULARY), first=first)
    expected = trace([[*row, token] for row, token in zip(rows, np.array(token).tolist(), strict=True)], VOCABULARY)
    if all(rows):
        for name in ("last", "before", "latest"):
            assert np.array_equal(np.array(getattr(after, name)), np.array(getattr(expected, name)))
    return np.array(token).tolist(), np.array(logprob).tolist()


def allowed(row: list[int]) -> np.ndarray:
    """Which tokens may follow `row`, written as the rules are told."""
    mask = np.ones(VOCABULARY.size, bool)
    mask[list(SUPPRESS)] = False
    mask[VOCABULARY.eot + 1 : FIRST] = False
    if not row:
        mask[:FIRST] = False
        mask[FIRST + LAST_INITIAL + 1 :] = False
        return mask
    last = row[-1] >= FIRST
    before = len(row) < 2 or row[-2] >= FIRST
    if last and before:
        mask[FIRST:] = False
    elif last:
        mask[: VOCABULARY.eot] = False
    times = [token for token in row if token >= FIRST]
    if times:
        mask[FIRST : times[-1] + (0 if last and not before else 1)] = False
    return mask


def by_the_book(row: list[int], logits: np.ndarray) -> tuple[int, float]:
    masked = np.where(allowed(row), logits.astype(np.float64), -np.inf)
    top = masked.max()
    if np.log(np.exp(masked[FIRST:] - top).sum() + 1e-300) + top > masked[:FIRST].max():
        masked[:FIRST] = -np.inf
    token = int(masked.argmax())
    return token, float(masked[token] - (np.log(np.exp(masked - masked.max()).sum()) + masked.max()))


def logits_of(seed: int, rows: int, lift: float) -> np.ndarray:
    draw = np.random.default_rng(seed)
    logits = 3 * draw.standard_normal((rows, VOCABULARY.size)).astype(np.float32)
    logits[:, FIRST:] += np.float32(lift)
    return logits


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from([-8.0, 0.0, 3.0]))
def test_any_decoding_has_times_in_pairs_that_never_go_back(seed: int, lift: float) -> None:
    rows: list[list[int]] = [[], []]
    for step in range(14):
        logits = logits_of(seed + step, 2, lift)
        tokens, logprobs = chosen(rows, logits, SamplingRules(SUPPRESS), first=step == 0)
        for row, one, token, logprob in zip(rows, logits, tokens, logprobs, strict=True):
            assert by_the_book(row, one) == (token, pytest.approx(logprob, abs=1e-3))
            row.append(token)
        for row in rows:
            times = [token for token in row if token >= FIRST]
            assert times == sorted(times)
            assert row[0] in range(FIRST, FIRST + LAST_INITIAL + 1)
            assert not set(row) & set(SUPPRESS)


def test_rows_without_timestamps_have_none() -> None:
    rows: list[list[int]] = [[]]
    for step in range(8):
        rows[0] += chosen(rows, logits_of(step, 1, 20.0), SamplingRules(SUPPRESS, timestamps=False), first=step == 0)[0]
    assert max(rows[0]) <= VOCABULARY.eot
    assert rows[0][0] not in VOCABULARY.blank


def test_temperature_samples_what_is_allowed_in_proportion() -> None:
    logits = np.full((1, VOCABULARY.size), -30, np.float32)
    likely, other = VOCABULARY.encode(" yes no")
    logits[0, [likely, other, FIRST + 3]] = [2.0, 1.0, -30]
    row = [FIRST, VOCABULARY.encode(" oh")[0]]
    counts = {likely: 0, other: 0}
    for seed in range(200):
        (token,), (logprob,) = chosen([row], logits, SamplingRules(SUPPRESS, temperature=1.0, seed=seed), first=False)
        counts[token] += 1
        assert logprob == pytest.approx(-0.313 if token == likely else -1.313, abs=0.01)
    assert 120 <= counts[likely] <= 172


def test_what_is_drawn_depends_on_the_seed_and_the_place_alone() -> None:
    logits, row = mx.array(logits_of(2, 1, -20.0)), [FIRST, VOCABULARY.encode(" a")[0]]
    rules, plain = SamplingRules(SUPPRESS, temperature=1.0, seed=7), SamplingRules(SUPPRESS)

    def drawn(rows: list[SamplingRules], index: int, before: int = 0) -> list[int]:
        chooser = Chooser(rows, VOCABULARY, KERNELS, [before] * len(rows))
        many, where = mx.concatenate([logits] * len(rows)), trace([row] * len(rows), VOCABULARY)
        return [int(np.array(chooser.choose(many, where, first=False)[0])[index]) for _ in range(12)]

    alone = drawn([rules], 0)
    assert len(set(alone)) > 1
    assert drawn([plain, rules, SamplingRules(SUPPRESS, temperature=0.5, seed=1)], 1) == alone
    assert drawn([rules], 0, before=5)[:7] == alone[5:]
    assert drawn([SamplingRules(SUPPRESS, temperature=1.0, seed=8)], 0) != alone
    assert len(set(drawn([plain, rules], 0))) == 1


def test_each_row_has_its_own_rules() -> None:
    logits = logits_of(1, 2, -20.0)
    row = [FIRST, VOCABULARY.encode(" a")[0]]
    best = chosen([row], logits[:1], SamplingRules(SUPPRESS), first=False)[0][0]
    rules = [SamplingRules(SUPPRESS), SamplingRules(tuple(sorted({*SUPPRESS, best})))]
    chooser = Chooser(rules, VOCABULARY, KERNELS)
    token, _, _ = chooser.choose(mx.array(np.stack([logits[0]] * 2)), trace([row, row], VOCABULARY), first=False)
    first, second = np.array(token).tolist()
    assert first == best != second


def test_compiled_it_chooses_the_same() -> None:
    word, other = VOCABULARY.encode(" yes no")
    rows = [[FIRST, word], [FIRST, word, FIRST + 9], [FIRST, word, FIRST + 9, FIRST + 9], [FIRST + 2, FIRST + 2, other]]
    rules = [SamplingRules(SUPPRESS), SamplingRules(SUPPRESS, timestamps=False), SamplingRules((word,))]
    rules.append(SamplingRules(SUPPRESS, temperature=0.8, seed=3))
    for seed in range(6):
        logits = mx.array(np.concatenate([logits_of(seed, 1, lift) for lift in (-8.0, -2.0, 0.0, 3.0)]))
        compiled, plain = (Chooser(rules, VOCABULARY, kernels) for kernels in (GPU, replace(GPU, compiles=False)))
        for first in (True, False):
            so_far = trace([[]] * 4 if first else rows, VOCABULARY)
            token, logprob, after = compiled.choose(logits, so_far, first)
            expected, expected_logprob, expected_after = plain.choose(logits, so_far, first)
            assert token.tolist() == expected.tolist() and after.latest.tolist() == expected_after.latest.tolist()
            assert np.allclose(logprob, expected_logprob, atol=1e-5)
            likeliest = [chooser.likeliest(logits, so_far, first, 3)[0].tolist() for chooser in (compiled, plain)]
            assert np.array_equal(np.sort(likeliest[0]), np.sort(likeliest[1]))


def test_compiled_a_choice_is_fifteen_kernels() -> None:
    counts = []
    with plain_mlx(compiled=True):
        for rules in (GPU, replace(GPU, compiles=False)):
            chooser, so_far = Chooser([SamplingRules(SUPPRESS)], VOCABULARY, rules), trace([[FIRST]], VOCABULARY)
            logits = mx.array(logits_of(1, 1, 0.0))
            mx.eval(logits, chooser._suppress, chooser._untimed, so_far.last, so_far.before, so_far.latest)
            token, logprob, after = chooser.choose(logits, so_far, first=False)
            counts.append(kernels(token, logprob, after.latest).total())
    assert counts[0] == 15 and counts[1] > 30


def test_it_is_compiled_once_for_a_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    made = choice(Ids.of(VOCABULARY), GPU)
    traced: list[int] = []

    def counted(logits: mx.array, *rest: mx.array) -> mx.array:
        traced.append(len(logits))
        return made._masked(logits, *rest)

    monkeypatch.setattr(made, "_later", mx.compile(counted))
    for _ in range(3):
        for count in (1, 2):
            chooser = Chooser([SamplingRules(SUPPRESS)] * count, VOCABULARY, GPU)  # as when a row comes or goes
            so_far = trace([[FIRST]] * count, VOCABULARY)
            for _ in range(3):
                _, _, so_far = chooser.choose(mx.array(np.repeat(logits_of(1, 1, 0.0), count, 0)), so_far, first=False)
    assert traced == [1, 2]
