"""Rows decoded together are what they are alone."""

from __future__ import annotations

import pytest
from support.small_whisper import VOCABULARY, audio, network

from speechmlx.engines.whisper.decoding.greedy import GreedyBatch, TokenSequence
from speechmlx.engines.whisper.decoding.sampling import SamplingRules

NET = network()
SUPPRESS = VOCABULARY.special


def row(seed: int, limit: int = 12, temperature: float = 0.0, prompt: tuple[int, ...] = ()) -> TokenSequence:
    rules = SamplingRules(SUPPRESS, temperature=temperature, seed=seed)
    return TokenSequence([*prompt, VOCABULARY.sot], rules, audio(NET, seed, 30 + seed), limit)


def batch() -> GreedyBatch:
    return GreedyBatch(NET, VOCABULARY, 4)


def alone(sequence: TokenSequence) -> list[int]:
    one = batch()
    one.join([sequence])
    while not sequence.finished:
        one.step()
    return sequence.tokens


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_together_as_alone(temperature: float) -> None:
    def rows() -> list[TokenSequence]:
        prompts = ((), (), (VOCABULARY.sot_prev, 5, 6))
        return [row(seed, 8 + seed, temperature, prompt) for seed, prompt in enumerate(prompts)]

    expected = [alone(sequence) for sequence in rows()]
    together, decoded = batch(), rows()
    together.join(decoded[:2])
    together.step()
    together.join(decoded[2:])
    while not all(sequence.finished for sequence in decoded):
        together.step()
    assert [sequence.tokens for sequence in decoded] == expected
    assert all(len(sequence.logprobs) >= len(sequence.tokens) > 0 for sequence in decoded)
    for sequence in decoded:
        together.leave(sequence)
    assert together.free == 4 and not together._cache._arrays()


def test_retry_keeps_the_audio_and_the_other_rows() -> None:
    first, second = row(1), row(2)
    expected = alone(row(2)), alone(row(1, temperature=0.9))
    together = batch()
    together.join([first, second])
    together.step()
    together.retry(first, SamplingRules(SUPPRESS, temperature=0.9, seed=1))
    while not (first.finished and second.finished):
        together.step()
    assert (second.tokens, first.tokens) == expected
    assert together.cross(first)[0][0].shape == (1, 2, 31, 8)


def test_the_end_a_loop_and_the_limit_finish() -> None:
    ended, looped, limited = (TokenSequence([VOCABULARY.sot], SamplingRules(()), None, 60) for _ in range(3))
    ended.take(7, -0.5, VOCABULARY.eot)
    ended.take(VOCABULARY.eot, -0.1, VOCABULARY.eot)
    assert ended.finished and ended.tokens == [7] and ended.logprobs == [-0.5, -0.1]
    while not looped.finished:
        looped.take(7, -0.5, VOCABULARY.eot)
    assert looped.looped and len(looped.tokens) == 48
    for token in range(60):
        assert not limited.finished
        limited.take(token, -0.5, VOCABULARY.eot)
    assert limited.finished and not limited.looped
    limited.restart(SamplingRules((), temperature=0.2))
    assert not limited.finished and not limited.tokens and limited.rules.temperature == 0.2


def test_the_prefix_is_part_of_the_sequence() -> None:
    sequence = TokenSequence([VOCABULARY.sot, 5, 6], SamplingRules(()), None, 60, prefix_length=2)
    sequence.take(7, -0.5, VOCABULARY.eot)
    assert sequence.sequence == [5, 6, 7]


@pytest.mark.parametrize("logprob", [float("nan"), float("inf"), -float("inf")])
def test_a_log_probability_that_is_none_fails_the_sequence(logprob: float) -> None:
    sequence = TokenSequence([VOCABULARY.sot], SamplingRules(()), None, 60)
    sequence.take(5, -0.5, VOCABULARY.eot)
    sequence.take(6, logprob, VOCABULARY.eot)
    assert (sequence.finished, sequence.failed, sequence.tokens) == (True, True, [5])
