"""MeloTTS against the reference implementation's numbers (scripts/parity/melotts.py), with made weights."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from support.engine_runs import result
from support.melo_model import size as small
from support.melo_model import told, write_model

from speechmlx.engines import LoadOptions, melotts
from speechmlx.engines.melotts import vocoder
from speechmlx.engines.melotts.durations import unspline
from speechmlx.engines.melotts.engine import MeloTTS
from speechmlx.engines.melotts.names import check, shapes, size_of
from speechmlx.engines.melotts.network import PhoneLine
from speechmlx.engines.melotts.phone_lines import shared_out
from speechmlx.engines.melotts.phone_words import PhoneWord
from speechmlx.errors import WeightsDamaged
from speechmlx.models.convert.melotts import LEFT_OUT, _tensors

DATA = Path(__file__).parents[1] / "data"
REFERENCE: dict[str, Any] = json.loads((DATA / "melotts.json").read_text())
LINE = REFERENCE["line"]
SPEAKER, SPEED = 2, 0.3


@pytest.fixture(scope="module")
def engine(loaded: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, cold: LoadOptions) -> MeloTTS:
    """The engine of the small model, through its conversion."""
    folder = write_model(tmp_path_factory.mktemp("melotts"), LINE["symbols"], LINE["vocabulary"])
    made: MeloTTS = loaded(melotts.load(folder, cold))
    return made


def agree(found: Any, wanted: list[Any], within: float = 1e-3) -> None:
    for one, other in told(found, wanted):
        assert np.allclose(one, other, rtol=within, atol=within), (one, other)


def noise(*shape: int) -> mx.array:
    """As the reference draws it, channels last."""
    batch, length, channels = shape
    drawn = np.random.RandomState(7).standard_normal((batch, channels, length)).astype(np.float32)
    return mx.array(drawn.swapaxes(1, 2))


def words() -> list[PhoneWord]:
    return [
        PhoneWord(text, tuple(phones), tuple(7 + tone for tone in tones), phones[0] in ",.")
        for text, phones, tones in LINE["words"]
    ]


@pytest.fixture(scope="module")
def line(engine: MeloTTS) -> PhoneLine:
    laid_out = engine.lines.lay_out(words())
    assert engine.bert is not None
    features = result(engine.bert(mx.array(laid_out.tokens)))[mx.array(laid_out.token_of_phone)]
    return PhoneLine(mx.array(laid_out.phones), mx.array(laid_out.tones), mx.array(laid_out.languages), features)


def test_words_are_laid_out_as_the_reference_does(line: PhoneLine) -> None:
    assert line.phones.tolist() == LINE["phones"]
    assert line.tones.tolist() == LINE["tones"]
    assert line.languages.tolist() == LINE["languages"]


def test_phones_are_shared_out_among_the_tokens_of_a_word() -> None:
    assert [shared_out(phones, 3) for phones in (0, 1, 5, 6)] == [[0, 0, 0], [1, 0, 0], [2, 2, 1], [2, 2, 2]]


def test_what_bert_tells_is_the_reference_s(line: PhoneLine) -> None:
    agree(line.features, REFERENCE["features"])


def test_the_encoder_and_the_durations_are_the_reference_s(engine: MeloTTS, line: PhoneLine) -> None:
    network = engine.network
    speaker = network.speaker(SPEAKER)
    text = result(network.encode(line, speaker))
    agree(text.hidden[0], REFERENCE["hidden"])
    agree(text.means[0], REFERENCE["means"])
    agree(text.deviations[0], REFERENCE["deviations"])
    agree(network._plain(text.hidden, speaker), REFERENCE["plain"])
    agree(network._drawn(text.hidden, speaker, noise(1, len(line.phones), 2) * 0.8), REFERENCE["drawn"])


def test_the_inverse_of_a_spline_is_the_reference_s() -> None:
    wide = np.random.RandomState(3)
    given = [
        mx.array((wide.standard_normal(shape) * 3).astype(np.float32)) for shape in ((30,), (30, 10), (30, 10), (30, 9))
    ]
    assert np.allclose(unspline(*given), REFERENCE["spline"], atol=1e-3)


def test_the_whole_path_is_the_reference_s(engine: MeloTTS, line: PhoneLine) -> None:
    network = engine.network
    speaker = network.speaker(SPEAKER)
    text = result(network.encode(line, speaker))
    frames = network.durations(text, speaker, noise(1, len(line.phones), 2) * 0.8, 0.2, SPEED)
    assert frames.tolist() == REFERENCE["frames"]
    latent = result(network.latent(text, frames, speaker, noise(1, int(frames.sum()), 8) * 0.6))
    agree(latent[0], REFERENCE["latent"])
    agree(sound(engine, latent, speaker), REFERENCE["sound"])


def sound(engine: MeloTTS, latent: mx.array, speaker: mx.array) -> mx.array:
    return mx.concatenate([samples for samples in engine.vocoder(latent, speaker) if samples is not None])


def test_windows_make_the_samples_that_the_whole_makes(engine: MeloTTS, monkeypatch: pytest.MonkeyPatch) -> None:
    latent, speaker = noise(1, 90, 8), engine.network.speaker(1)
    whole = sound(engine, latent, speaker)
    assert whole.shape == (90 * engine.vocoder.frame,)
    monkeypatch.setattr(vocoder, "WINDOW", 17)
    assert np.allclose(sound(engine, latent, speaker), whole, atol=1e-6)


# --- Checkpoints -----------------------------------------------------------------------------------------------------


def test_every_tensor_of_the_published_checkpoint_is_taken() -> None:
    listed = json.loads(gzip.decompress((DATA / "melotts_names.json.gz").read_bytes()))
    assert len(listed) == 1051
    weights = {name: np.broadcast_to(np.float32(1), shape) for name, shape in listed.items() if "enc_q" not in name}
    found = {name: mx.array(array) for name, array in _tensors(weights).items()}
    size = size_of(found, 2, (8, 8, 2, 2, 2), 3)
    check(found, shapes(size), "MeloTTS")
    assert (size.width, size.layers, size.symbols, size.speakers, size.first) == (192, 6, 219, 256, 512)
    used = {name for name in listed if not name.startswith(LEFT_OUT)}
    assert len(found) == len(used) - sum(name.endswith("weight_g") for name in used)


def test_other_weights_are_refused_by_name() -> None:
    size = small(17)
    weights = {name: mx.zeros(shape) for name, shape in shapes(size).items()}
    assert size_of(weights, 2, (4, 2), 2) == size
    with pytest.raises(WeightsDamaged, match=r"'enc_q.pre.bias' is \(2,\), not there"):
        check({**weights, "enc_q.pre.bias": mx.zeros(2)}, shapes(size), "MeloTTS")
    with pytest.raises(WeightsDamaged, match=r"'sdp.proj.bias' is missing, not \(16,\)"):
        check({name: array for name, array in weights.items() if name != "sdp.proj.bias"}, shapes(size), "MeloTTS")
    with pytest.raises(WeightsDamaged, match=r"no 'dp.conv_1.bias'"):
        size_of({name: array for name, array in weights.items() if name != "dp.conv_1.bias"}, 2, (4, 2), 2)
