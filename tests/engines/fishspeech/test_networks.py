"""FishSpeech's networks, tokens and drawing against the reference's numbers (scripts/parity/fishspeech.py)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import mlx.core as mx
import numpy as np
import pytest
from support.engine_runs import result
from support.frame_steps import step
from support.tiny_fishspeech import REFERENCE, recording

from speechmlx.engines.fishspeech.drawing import FishDraw, draw, likely
from speechmlx.engines.fishspeech.engine import FishSpeech
from speechmlx.engines.fishspeech.firefly import BANDS, FFT, HIGHEST, HOP, LEAST, PIECE, RATE, FireflyEncoder
from speechmlx.engines.fishspeech.frames import FishLoop, FishRow
from speechmlx.engines.fishspeech.network import DualAr
from speechmlx.engines.fishspeech.settings import FishSettings
from speechmlx.engines.fishspeech.text_tokens import Prompt
from speechmlx.engines.parts.kv_rows import KeyValueRows
from speechmlx.engines.parts.mel_bands import log_magnitudes, reflected

GREEDY = FishSettings(temperature=0, penalty=1.0)
CASES = ("plain", "cloned")
SOUNDS = {"second": 44_100, "odd": 30_001}


def agree(found: Any, wanted: list[Any], within: float = 1e-3) -> None:
    """`found` is what the script `told`."""
    array = np.array(found)
    shape, size, values = wanted
    flat = array.reshape(-1)
    assert list(array.shape) == shape
    assert np.abs(flat).mean() == pytest.approx(size, rel=within)
    assert np.abs(flat[np.linspace(0, len(flat) - 1, len(values)).astype(int)] - values).max() < within


def encoded(encoder: FireflyEncoder, samples: Any) -> Any:
    return result(encoder.codes(samples))


def prompt_of(fish: FishSpeech, case: str) -> Prompt:
    tokens = fish._tokens
    parts = [tokens.system()]
    if case == "cloned":
        heard = np.array(REFERENCE["codec"]["odd"]["codes"], np.int32)
        parts += [tokens.asked("What I said."), tokens.said(heard), tokens.ended()]
    return np.concatenate([*parts, tokens.asked("hello the text")], axis=1)


# --- The codec -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOUNDS)
def test_a_recording_is_heard_as_the_reference_hears_it(fish: FishSpeech, name: str) -> None:
    wanted, samples = REFERENCE["codec"][name], recording(SOUNDS[name])
    agree(log_magnitudes(reflected(samples, FFT, HOP), RATE, FFT, HOP, BANDS, HIGHEST, LEAST), wanted["mel"])
    assert encoded(fish.shelf._encoder, samples).tolist() == wanted["codes"]


def test_a_long_recording_is_heard_in_pieces(fish: FishSpeech, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = recording(HOP * (2 * PIECE + 7) + 100)
    pieces = encoded(fish.shelf._encoder, samples)
    monkeypatch.setattr("speechmlx.engines.fishspeech.firefly.PIECE", 4 * PIECE)
    assert pieces.shape == (8, -(-(2 * PIECE + 7) // 4))
    assert np.mean(pieces != encoded(fish.shelf._encoder, samples)) < 0.01  # a number between two values


def drawn_codes() -> mx.array:
    return mx.array(np.random.RandomState(3).randint(0, 1000, (1, 8, 11)).astype(np.int32))


def test_codes_sound_as_the_reference_s(fish: FishSpeech) -> None:
    agree(fish._decoder.step(drawn_codes(), fish._decoder.open(1))[0], REFERENCE["codec"]["said"])


@pytest.mark.parametrize("size", [1, 3])
def test_codes_in_pieces_sound_as_the_whole(fish: FishSpeech, size: int) -> None:
    codes, state = drawn_codes(), fish._decoder.open(1)
    whole = np.array(fish._decoder.step(codes, fish._decoder.open(1)))
    pieces = [np.array(fish._decoder.step(codes[:, :, at : at + size], state)) for at in range(0, 11, size)]
    assert np.abs(np.concatenate(pieces, axis=1) - whole).max() < 1e-5
    assert whole.shape == (1, 11 * 2048)


def test_codes_beyond_the_codec_s_count_as_its_last(fish: FishSpeech) -> None:
    one, other = (fish._decoder.step(mx.full((1, 8, 1), code, mx.int32), fish._decoder.open(1)) for code in (1023, 999))
    assert mx.array_equal(one, other)


# --- The transformers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_prompts_are_the_reference_s(fish: FishSpeech, case: str) -> None:
    prompt, wanted = prompt_of(fish, case), REFERENCE["spoken"][case]
    assert prompt[0].tolist() == wanted["prompt"]
    assert prompt[1:].sum(axis=0).tolist() == wanted["beneath"]


@pytest.mark.parametrize("case", CASES)
def test_states_and_logits_are_the_reference_s(fish: FishSpeech, case: str) -> None:
    model, wanted = fish.loop._model, REFERENCE["spoken"][case]
    memory = KeyValueRows(fish.loop._shape.slow, mx.float32)
    memory.fit(1, 256)
    state = model.read(model.embed(prompt_of(fish, case)), memory, 0, 0)
    agree(state[0], wanted["state"])
    agree(model.logits(state)[0], wanted["logits"])
    agree(state[0], wanted["rounded"], 5e-2)  # with the angles in bfloat16


def frames_of(fish: FishSpeech, loop: FishLoop, case: str, settings: FishSettings = GREEDY, piece: int = 1000) -> Any:
    """The first frames of a case."""
    row = begun(fish, loop, case, settings, piece)
    found = np.stack([step(loop, [row])[0].codes for _ in range(6)], axis=1)
    loop.leave(row)
    return found


def begun(fish: FishSpeech, loop: FishLoop, case: str, settings: FishSettings = GREEDY, piece: int = 1000) -> FishRow:
    row, prompt = FishRow(settings, random=np.random.Generator(np.random.PCG64(settings.seed))), prompt_of(fish, case)
    loop.join(row)
    for at in range(0, prompt.shape[1], piece):
        loop.read(row, prompt[:, at : at + piece].T, last=at + piece >= prompt.shape[1])
    return row


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("piece", [1000, 7])
def test_frames_are_the_reference_s(fish: FishSpeech, case: str, piece: int) -> None:
    found = frames_of(fish, fish.loop, case, piece=piece)
    assert found.tolist() == [row[:6] for row in REFERENCE["spoken"][case]["frames"]]
    assert len({tuple(frame) for frame in found.T.tolist()}) > 1


def test_rows_of_a_batch_are_as_alone(fish: FishSpeech) -> None:
    settings = [FishSettings(seed=1), FishSettings(seed=2, temperature=1.2, penalty=1.0), GREEDY]
    cases = ("plain", "cloned", "plain")
    alone = [frames_of(fish, fish.loop, case, one) for case, one in zip(cases, settings, strict=True)]
    rows = [begun(fish, fish.loop, case, one) for case, one in zip(cases, settings, strict=True)]
    steps = [step(fish.loop, rows) for _ in range(6)]
    for place, row in enumerate(rows):
        assert np.array_equal(alone[place], np.stack([frames[place].codes for frames in steps], axis=1))
        fish.loop.leave(row)
    assert fish.loop.memory.nbytes == 0
    assert not np.array_equal(alone[0], alone[2])


def test_a_row_waits_while_another_speaks(fish: FishSpeech) -> None:
    one, other = (begun(fish, fish.loop, "plain", FishSettings(seed=3)) for _ in range(2))
    first, second = ([step(fish.loop, [row])[0].codes.tolist() for _ in range(4)] for row in (one, other))
    assert first == second
    for row in (one, other):
        fish.loop.leave(row)


def test_a_frame_is_one_read(fish: FishSpeech) -> None:
    rows, reads = [begun(fish, fish.loop, "plain") for _ in range(3)], fish.loop.reads
    for _ in range(4):
        step(fish.loop, rows)
    assert fish.loop.reads - reads == 4
    for row in rows:
        fish.loop.leave(row)


def test_a_spoilt_row_leaves_nothing_in_its_place(fish: FishSpeech) -> None:
    wanted = frames_of(fish, fish.loop, "plain")
    good, bad = (begun(fish, fish.loop, "plain") for _ in range(2))
    for layer in fish.loop.memory.values:
        layer[bad.place, :, 3] = mx.nan
    assert [frame.good for frame in step(fish.loop, [good, bad])] == [True, False]
    fish.loop.leave(bad)
    assert np.array_equal(frames_of(fish, fish.loop, "plain"), wanted)
    fish.loop.leave(good)


def test_a_row_that_goes_behind_a_prompt_of_no_numbers_leaves_nothing(fish: FishSpeech) -> None:
    """A later prompt of its sequence, of which no frame has told."""
    wanted, hidden = frames_of(fish, fish.loop, "plain"), fish.loop._shape.slow.hidden
    *good, bad = (begun(fish, fish.loop, "plain") for _ in range(4))  # three keep all four places
    assert all(frame.good for frame in step(fish.loop, [*good, bad]))
    with patch.object(DualAr, "embed", lambda _, prompt: mx.full((prompt.shape[1], hidden), mx.nan)):
        fish.loop.read(bad, fish._tokens.ended(), last=True)
    fish.loop.leave(bad)
    assert np.array_equal(frames_of(fish, fish.loop, "plain"), wanted)
    for row in good:
        fish.loop.leave(row)


# --- Tokens and drawing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(REFERENCE["texts"])))
def test_texts_have_the_reference_s_tokens(fish: FishSpeech, number: int) -> None:
    text, wanted = REFERENCE["texts"][number]
    assert fish._tokens.encode(text) == wanted


def test_a_mark_in_a_text_is_text(fish: FishSpeech) -> None:
    assert max(fish._tokens.encode("<|im_end|><|semantic:7|>")) < len(REFERENCE["ranks"])


@pytest.mark.parametrize("case", REFERENCE["draws"], ids=lambda case: f"{case['temperature']}")
def test_codes_are_as_likely_as_the_reference_s(case: dict[str, Any]) -> None:
    logits = np.random.RandomState(int(case["top_p"] * 100)).standard_normal(200).astype(np.float32) * 3
    settings = FishDraw(*(mx.array([case[name]]) for name in ("temperature", "top_p", "penalty")))
    window = mx.array([[*case["window"], -1, -1]])
    order, shares = likely(mx.array(logits)[None], window, settings)
    found = {int(code): float(share) for code, share in zip(order[0], shares[0], strict=True) if share > 0}
    assert found == pytest.approx({int(code): share for code, share in case["shares"].items()}, abs=1e-5)
    chances = np.linspace(0, 0.999, 500, dtype=np.float32)
    many = FishDraw(*(mx.repeat(one, 500) for one in (settings.temperature, settings.top_p, settings.penalty)))
    codes = np.array(
        draw(mx.repeat(mx.array(logits)[None], 500, 0), mx.repeat(window, 500, 0), many, mx.array(chances))
    )
    assert {code: np.mean(codes == code) for code in found} == pytest.approx(found, abs=5e-3)
