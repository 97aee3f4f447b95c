"""Beams: which hypotheses live on, which end, and which is the best."""

from __future__ import annotations

import pytest
from support.small_whisper import VOCABULARY, audio, network

from speechmlx.engines.whisper.decoding.beam import Beam, BeamHypothesis, BeamSearch
from speechmlx.engines.whisper.decoding.greedy import TokenSequence
from speechmlx.engines.whisper.decoding.sampling import NEVER, SamplingRules

EOT = VOCABULARY.eot
NET = network()


def sequence(limit: int = 20, prefix: tuple[int, ...] = ()) -> TokenSequence:
    return TokenSequence([VOCABULARY.sot, *prefix], SamplingRules(VOCABULARY.special), None, limit, len(prefix))


def test_the_likeliest_live_on_and_ended_ones_compete_by_their_mean() -> None:
    row = sequence()
    beam = Beam(row, 2, EOT)
    assert beam.extend([[5, 6, 7]], [[-1.0, -0.5, -3.0]]) == [0, 0]
    assert beam.sequences == [[6], [5]]
    assert beam.extend([[8, EOT, 9], [8, 9, 10]], [[-2.0, -0.1, -4.0], [-0.2, -5.0, -6.0]]) == [1, 0]
    assert beam.sequences == [[5, 8], [6, 8]] and not row.finished
    beam.extend([[EOT, 8, 9], [9, 8, 7]], [[-0.1, -5.0, -6.0], [-4.0, -5.0, -6.0]])
    assert row.finished
    assert (row.tokens, row.logprobs) == ([6], [-0.5, -0.1])  # a mean of -0.6 and, with (5, 8), of -0.65


def test_what_never_may_be_chosen_is_not() -> None:
    row = sequence()
    Beam(row, 2, EOT).extend([[5, 6, EOT]], [[NEVER, NEVER, NEVER]])
    assert row.finished and row.tokens == []


def test_a_beam_ends_at_the_limit() -> None:
    row = sequence(limit=1, prefix=(3, 4))
    beam = Beam(row, 1, EOT)
    assert beam.sequences == [[3, 4]]
    beam.extend([[5, 6]], [[-1.0, -2.0]])
    assert row.finished and row.tokens == [5]


@pytest.mark.parametrize(("tokens", "logprobs", "score"), [((), (), 0.0), ((1, 2), (-1.0, -2.0, -0.5), -1.75)])
def test_score(tokens: tuple[int, ...], logprobs: tuple[float, ...], score: float) -> None:
    assert BeamHypothesis(tokens, logprobs).score == score


def decode(search: BeamSearch, rows: list[TokenSequence], later: int = 0) -> list[list[int]]:
    for row in rows[: len(rows) - later]:
        search.join(row)
    search.step()
    for row in rows[len(rows) - later :]:
        search.join(row)
    while not all(row.finished for row in rows):
        search.step()
    return [row.tokens for row in rows]


def rows() -> list[TokenSequence]:
    found = [sequence(limit) for limit in (6, 9, 7)]
    for seed, row in enumerate(found):
        row.cross = audio(NET, seed, 30 + 5 * seed)
    return found


def test_windows_searched_together_are_what_they_are_alone() -> None:
    expected = [decode(BeamSearch(NET, VOCABULARY, 3, 4), [row])[0] for row in rows()]
    search = BeamSearch(NET, VOCABULARY, 3, 4)
    assert decode(search, rows(), later=1) == expected
    assert not search._beams and not search._rows._arrays() and not search._audio._arrays()


def test_leaving_in_the_middle_frees() -> None:
    search, all_rows = BeamSearch(NET, VOCABULARY, 2, 4), rows()
    for row in all_rows:
        search.join(row)
    for row in all_rows:
        search.leave(row)
        search.leave(row)
    assert not search._beams and not search._rows._arrays()


def test_log_probabilities_that_are_none_fail_the_window() -> None:
    row = sequence()
    beam = Beam(row, 2, VOCABULARY.eot)
    assert beam.extend([[1, 2, 3]], [[-0.5, float("nan"), -1.0]]) == []
    assert row.finished and row.failed and row.tokens == []
