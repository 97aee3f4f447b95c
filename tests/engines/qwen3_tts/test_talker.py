"""The talker and the code predictor against the reference's numbers (scripts/parity/qwen3_tts_talker.py)."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from support.frame_steps import step
from support.talker_cases import GREEDY, Speaking, TalkerCase, cases_in, speak

from speechmlx.engines.parts.kv_rows import STEP, KeyValueRows, bytes_of, places_for
from speechmlx.engines.qwen3_tts.frames import FrameLoop, FrameRow
from speechmlx.engines.qwen3_tts.talker import Talker

FRAMES = 14
Cases = list[tuple[TalkerCase, Talker]]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Cases:
    return cases_in(tmp_path_factory.mktemp("talkers"))


@pytest.mark.parametrize("number", range(9))
def test_frames_are_those_of_the_reference(cases: Cases, number: int) -> None:
    case, talker = cases[number]
    (spoken,) = speak([case], talker, FRAMES)
    assert np.array_equal(np.array(spoken.codes), case.codes)
    states = np.array(spoken.states)[: len(case.codes) : 4]
    assert np.abs(states - case.states[: len(states)]).max() < 1e-3


def test_a_prompt_in_pieces_is_the_same_prompt(cases: Cases) -> None:
    case, talker = cases[6]
    whole, pieces = (speak([case], talker, 4, piece=piece)[0] for piece in (1000, 5))
    assert np.array_equal(whole.codes, pieces.codes)


def test_the_cases_end_and_go_on(cases: Cases) -> None:
    """Or the tests above would show less than they seem to."""
    lengths = {len(case.codes) for case, _ in cases}
    assert max(lengths) == FRAMES
    assert all(len({tuple(frame) for frame in case.codes.tolist()}) > 1 for case, _ in cases)


@pytest.mark.parametrize("drawing", [GREEDY, replace(GREEDY, temperature=1.0, sub_temperature=0.8, seed=7)])
def test_rows_of_a_batch_are_as_alone(cases: Cases, drawing: object) -> None:
    together = [case for case, talker in cases if talker is cases[1][1]]
    talker = cases[1][1]
    assert len(together) == 3
    alone = [speak([case], talker, FRAMES, drawing)[0].codes for case in together]  # type: ignore[arg-type]
    batch = [one.codes for one in speak(together, talker, FRAMES, drawing)]  # type: ignore[arg-type]
    assert all(np.array_equal(one, other) for one, other in zip(alone, batch, strict=True))


def test_a_seed_decides(cases: Cases) -> None:
    case, talker = cases[0]
    sampled = replace(GREEDY, temperature=1.0, sub_temperature=1.0)
    one, again, other = (speak([case], talker, 6, replace(sampled, seed=seed))[0].codes for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_row_waits_while_another_speaks(cases: Cases) -> None:
    """A row that is not named in a step changes nothing, and goes on as if there had been none."""
    case, talker = cases[1]
    loop = FrameLoop(talker, case.config, mx.float32, fused=False)
    one, other = (Speaking(loop, talker, case, replace(GREEDY, temperature=1.0), 1000) for _ in range(2))
    first = [step(loop, [one.row], [one.text])[0].codes for _ in range(5)]
    second = [step(loop, [other.row], [other.text])[0].codes for _ in range(5)]
    assert np.array_equal(first, second)


def test_a_frame_is_one_read_and_copies_no_cache(cases: Cases) -> None:
    case, talker = cases[0]
    shape = case.config.shape
    loop = FrameLoop(talker, case.config, mx.float32, fused=False)
    rows = [Speaking(loop, talker, case, GREEDY, 1000) for _ in range(4)]
    loop.memory.fit(4, 64 * STEP)
    assert loop.memory.nbytes == 4 * 64 * STEP * 2 * shape.talker.layers * 2 * 16 * 4
    step(loop, [one.row for one in rows], [one.text for one in rows])
    before, reads = mx.get_active_memory(), loop.reads
    mx.reset_peak_memory()
    for _ in range(3):
        step(loop, [one.row for one in rows], [one.text for one in rows])
    assert loop.reads - reads == 3
    one_layer = loop.memory.nbytes / shape.talker.layers / 2
    assert mx.get_peak_memory() - before < one_layer / 2


@pytest.mark.parametrize("is_known", [True, False])
def test_a_spoilt_row_leaves_nothing_in_its_place(cases: Cases, is_known: bool) -> None:
    """Also one that goes before it had a frame, which would have told."""
    case, talker = cases[0]
    loop = FrameLoop(talker, case.config, mx.float32, fused=False)
    good, bad, *_ = (Speaking(loop, talker, case, GREEDY, 1000) for _ in range(4))  # three keep all four places
    for layer in loop.memory.values:
        layer[bad.row.place, :, bad.row.length + 1] = mx.nan  # where the next row writes nothing before its frame
    if is_known:
        frames = step(loop, [good.row, bad.row], [good.text, bad.text])
        assert [frame.good for frame in frames] == [True, False]
    place = bad.row.place
    loop.leave(bad.row)
    late = Speaking(loop, talker, case, GREEDY, 5)
    assert late.row.place == place
    (frame,) = step(loop, [late.row], [late.text])
    assert frame.good
    assert np.array_equal(frame.codes, case.codes[0])


def test_places_come_and_go(cases: Cases) -> None:
    case, talker = cases[0]
    loop = FrameLoop(talker, case.config, mx.float32, fused=False)
    rows = [FrameRow(GREEDY, random=np.random.default_rng(0)) for _ in range(5)]
    for row in rows:
        loop.join(row)
    assert [row.place for row in rows] == [0, 1, 2, 3, 4]
    loop.memory.fit(8, 10)
    assert loop.memory.rows == 8
    for row in (rows[0], rows[2]):
        loop.leave(row)
    assert loop.memory.rows == 4
    assert len({row.place for row in rows if 0 <= row.place < 4}) == 3
    for row in rows:
        loop.leave(row)
    assert loop.memory.nbytes == 0


def test_bytes_of_rows() -> None:
    assert [places_for(rows) for rows in (0, 1, 2, 3, 4, 5, 8)] == [0, 1, 2, 4, 4, 8, 8]
    assert bytes_of(10, []) == 0
    assert bytes_of(10, [1, STEP + 1, 5]) == 4 * 2 * STEP * 10


def test_rows_keep_what_they_hold(cases: Cases) -> None:
    case, _ = cases[0]
    memory = KeyValueRows(case.config.shape.talker, mx.float32)
    memory.fit(2, 4)
    new = mx.arange(2 * 2 * 16).reshape(1, 2, 2, 16).astype(mx.float32)
    memory.prompt(0, 1, 0)(new, new + 1)
    memory.fit(4, STEP + 1)
    memory.keep([1], 1)
    assert memory.rows == 1
    assert memory.room == 2 * STEP
    assert mx.array_equal(memory.keys[0][:, :, :2], new)
    assert mx.array_equal(memory.values[0][:, :, :2], new + 1)
