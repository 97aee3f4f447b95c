"""Qwen3-TTS's codec and speaker encoder: the reference's numbers at small random weights, and streams in any pieces.

scripts/parity/qwen3_tts_codec.py made the numbers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray
from support.engine_runs import result
from support.metal_arithmetic import metal_arithmetic
from support.tiny_qwen3_tts import EVERY, names, tensors, write_codec
from support.tiny_qwen3_tts import NUMBERS as REFERENCE
from support.tiny_qwen3_tts_sizes import CODEC, RATE, SPEAKER, recording

from speechmlx.engines.parts.causal_conv import Past
from speechmlx.engines.qwen3_tts import codec
from speechmlx.engines.qwen3_tts.codec.checkpoint import codec_weights
from speechmlx.engines.qwen3_tts.codec.shape import CodecShape
from speechmlx.engines.qwen3_tts.speaker_encoder import SpeakerShape, VoiceEncoder, mel_levels, voice_weights
from speechmlx.errors import BadRequest, ModelUnavailable, WeightsDamaged

sys.path.append(str(Path(__file__).parents[1] / "bench"))
from graphs import Watch

Floats = NDArray[np.float32]
CODES: NDArray[np.int32] = REFERENCE["codes"]
FRAMES = CODES.shape[2]


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory, loaded: Callable[..., Any]) -> codec.SpeechCodec:
    return loaded(codec.load(write_codec(tmp_path_factory.mktemp("qwen3_tts") / "speech_tokenizer")))


@pytest.fixture(scope="module")
def decoder(speech: codec.SpeechCodec) -> codec.CodecDecoder:
    return speech.decoder


@pytest.fixture(scope="module")
def encoder(speech: codec.SpeechCodec) -> codec.CodecEncoder:
    assert speech.encoder is not None
    return speech.encoder


@pytest.fixture(scope="module")
def voice() -> VoiceEncoder:
    shape = SpeakerShape.of(SPEAKER)
    return VoiceEncoder(voice_weights(tensors("tiny speaker"), shape), shape)


def decoded(decoder: codec.CodecDecoder, codes: NDArray[np.int32], pieces: Sequence[int]) -> Floats:
    """What new streams of `codes` [B, codebooks, F] say in pieces of so many frames; the last number is repeated."""
    state = decoder.open(len(codes))
    parts, at = [], 0
    for number in range(codes.shape[2]):
        if at == codes.shape[2]:
            break
        piece = codes[:, :, at : at + pieces[min(number, len(pieces) - 1)]]
        parts.append(stepped(decoder, piece, state))
        at += piece.shape[2]
    return np.concatenate(parts, axis=1)


def stepped(decoder: codec.CodecDecoder, codes: NDArray[np.int32], state: Any) -> Floats:
    samples = decoder.step(mx.array(codes), state)
    mx.eval(samples, state.arrays)
    return np.array(samples)


# --- Decoder -------------------------------------------------------------------------------------------------------


def test_parts_of_the_decoder_compute_the_references_numbers(decoder: codec.CodecDecoder) -> None:
    past = Past(decoder.open(2).arrays)
    dequantized = decoder._dequantized(mx.array(CODES))
    hidden = decoder._transformer(decoder._entry(dequantized, past), past)
    upsampled = decoder._upsampling[1](decoder._upsampling[0](hidden, past), past)
    for name, found in {"dequantized": dequantized, "hidden": hidden, "upsampled": upsampled}.items():
        assert np.array(found) == pytest.approx(REFERENCE[name], abs=1e-4), name


def test_a_whole_text_sounds_as_the_reference(decoder: codec.CodecDecoder) -> None:
    samples = decoded(decoder, CODES, [FRAMES])
    assert samples.shape == (2, FRAMES * decoder.frame)
    assert samples.dtype == np.float32
    assert samples[:, ::EVERY] == pytest.approx(REFERENCE["samples"], abs=1e-4)
    assert samples.std() > 0.05 and np.abs(samples).max() <= 1


@pytest.mark.parametrize("pieces", [[1], [2], [3], [4], [1, 3, 2, 4, 1, 1]])
def test_any_pieces_sound_as_the_whole(decoder: codec.CodecDecoder, pieces: list[int]) -> None:
    assert decoded(decoder, CODES, pieces)[:, ::EVERY] == pytest.approx(REFERENCE["samples"], abs=1e-4)


def test_two_streams_sound_as_each_alone(decoder: codec.CodecDecoder) -> None:
    together = decoded(decoder, CODES, [1, 2])
    for row in range(2):
        alone = decoded(decoder, CODES[row : row + 1], [1, 2])
        assert together[row] == pytest.approx(alone[0], abs=1e-5)


def test_streams_that_take_turns_sound_exactly_as_alone(decoder: codec.CodecDecoder) -> None:
    alone = [decoded(decoder, CODES[row : row + 1], [1, 2]) for row in range(2)]
    states, heard = [decoder.open(1), decoder.open(1)], list[list[Floats]]([[], []])
    for at in range(-1, FRAMES, 2):  # one frame, then two at a time
        for row in range(2):
            piece = CODES[row : row + 1, :, max(at, 0) : at + 2]
            heard[row].append(stepped(decoder, piece, states[row]))
    for row in range(2):
        assert (np.concatenate(heard[row], axis=1) == alone[row]).all()


def test_streams_that_join_and_leave_change_nothing_for_the_others(decoder: codec.CodecDecoder) -> None:
    """The first stream begins alone, others join it later, places are exchanged, and then it leaves."""
    whole = decoded(decoder, CODES, [1])
    heard = {row: [] for row in range(3)}  # type: dict[int, list[Floats]]
    places, state = [0], decoder.open(1)
    begun = {0: 0}
    for frame in range(FRAMES):
        if frame == 4:
            state.join(decoder.open(1))
            places.append(1)
            begun[1] = frame
        if frame == 7:  # as the first stream, but later: it must not matter who was at its place before
            state.keep([1, 0])
            state.join(decoder.open(1))
            places = [1, 0, 2]
            begun[2] = frame
        if frame == 15:
            state.keep([0, 2])
            places = [1, 2]
        codes = np.stack([CODES[row % 2, :, frame - begun[row]] for row in places])[:, :, None]
        for row, samples in zip(places, stepped(decoder, codes, state), strict=True):
            heard[row].append(samples)
    assert [len(heard[row]) for row in range(3)] == [15, FRAMES - 4, FRAMES - 7]
    for row, parts in heard.items():
        samples = np.concatenate(parts)
        assert samples == pytest.approx(whole[row % 2, : len(samples)], abs=1e-5), row


def test_a_stream_remembers_no_more_the_longer_it_goes_on(decoder: codec.CodecDecoder) -> None:
    state = decoder.open(1)
    size = state.nbytes
    codes = np.tile(CODES[:1], (1, 1, 4))
    for at in range(0, codes.shape[2], 4):
        stepped(decoder, codes[:, :, at : at + 4], state)
        assert state.nbytes == size
    state.join(decoder.open(3))
    assert (len(state), state.nbytes) == (4, 4 * size)
    state.keep([2])
    assert (len(state), state.nbytes) == (1, size)


def test_a_long_stream_forgets_what_left_its_window(decoder: codec.CodecDecoder) -> None:
    """Layers see `sliding_window` frames each: what was said before all of them changes nothing."""
    sizes = CODEC["decoder_config"]
    seen = sizes["num_hidden_layers"] * (sizes["sliding_window"] - 1)
    convolved = 14  # frames that the convolutions before and after them read
    same = np.tile(CODES[:1], (1, 1, 2))
    first, second = (
        decoded(decoder, np.concatenate([CODES[row : row + 1], same], axis=2), [3])[0, FRAMES * decoder.frame :]
        for row in range(2)
    )
    differing = np.flatnonzero(np.abs(first - second) > 1e-5) // decoder.frame
    assert sizes["sliding_window"] <= differing.max() < seen + convolved


def test_code_0_is_a_code_like_any_other(decoder: codec.CodecDecoder) -> None:
    """Frames of zeros sound and last as long as others, also at the end."""
    codes = CODES[:1].copy()
    codes[:, :, -6:] = 0
    samples = decoded(decoder, codes, [4])
    assert samples.shape == (1, FRAMES * decoder.frame)
    assert np.abs(samples[0, -6 * decoder.frame :]).max() > 0.01


def test_a_step_is_as_many_kernels_for_many_frames_and_streams_as_for_one(decoder: codec.CodecDecoder) -> None:
    """And the host waits once, to read the samples."""
    counts = []
    decoded(decoder, CODES, [1])
    for rows, frames in ((1, 1), (4, 3)):
        state = decoder.open(rows)
        mx.eval(state.arrays)
        with Watch() as watch:
            samples = decoder.step(mx.zeros((rows, 16, frames), mx.int32), state)
            mx.async_eval(samples, state.arrays)
            np.array(samples)
            counts.append(watch.take())
    assert counts[0].total == counts[1].total < 500
    assert [count.reads for count in counts] == [1, 1]


def test_products_of_10_bits_add_little_noise(tmp_path: Path, loaded: Callable[..., Any]) -> None:
    """As some GPUs multiply; the decoder is the one that a GPU has."""
    with metal_arithmetic(tf32=True):
        decoder = loaded(codec.load(write_codec(tmp_path), encoder=False, fused=True)).decoder
        noise = decoded(decoder, CODES, [2])[:, ::EVERY] - REFERENCE["samples"]
    assert 0 < np.square(noise).mean() < 1e-3 * np.square(REFERENCE["samples"]).mean()


# --- Encoder -------------------------------------------------------------------------------------------------------


def test_a_recording_is_encoded_as_by_the_reference(encoder: codec.CodecEncoder) -> None:
    codes = result(encoder.pieces(recording()))
    assert codes.shape == (16, -(-len(recording()) // encoder.frame))
    assert codes.dtype == np.int32
    assert (codes == REFERENCE["windowed"]).all()


def test_without_a_window_it_is_what_the_reference_computes_as_it_is() -> None:
    config = CODEC | {"encoder_config": CODEC["encoder_config"] | {"sliding_window": 250}}
    shape = CodecShape.of(config)
    _, weights = codec_weights(tensors("tiny"), shape)
    codes = result(codec.CodecEncoder(weights, shape.encoder, shape.encoder_codebooks).pieces(recording()))
    assert (codes == REFERENCE["whole"]).all()
    assert (REFERENCE["whole"] != REFERENCE["windowed"]).any()


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_recording_in_pieces_has_the_codes_of_the_whole(encoder: codec.CodecEncoder, frames: int) -> None:
    steps, count = encoder.pieces(recording(), frames), 0
    while True:
        try:
            next(steps)
            count += 1
        except StopIteration as done:
            codes = done.value
            break
    assert count == -(-len(recording()) // (frames * encoder.frame))
    assert (codes == REFERENCE["windowed"]).all()


def test_the_least_recording_has_one_frame(encoder: codec.CodecEncoder) -> None:
    assert result(encoder.pieces(np.full(1, 0.1, np.float32))).shape == (16, 1)


def test_an_empty_recording_is_refused(encoder: codec.CodecEncoder) -> None:
    with pytest.raises(BadRequest, match="empty"):
        result(encoder.pieces(np.zeros(0, np.float32)))


# --- Speaker encoder -----------------------------------------------------------------------------------------------


def test_bands_are_those_of_the_reference() -> None:
    levels = np.concatenate(list(mel_levels(recording(), 128)))
    assert levels[::20, ::8] == pytest.approx(REFERENCE["levels"], abs=1e-3)


def test_a_voice_has_the_references_vector(voice: VoiceEncoder) -> None:
    vector = np.array(result(voice.pieces(recording())))
    assert vector.shape == (SPEAKER["enc_dim"],)
    assert vector == pytest.approx(REFERENCE["voice"], abs=1e-3)


def test_a_long_recording_is_heard_in_short_steps(voice: VoiceEncoder) -> None:
    steps = list(voice.pieces(np.tile(recording(), 20)))
    assert len(steps) >= 3 + 3, "slices of bands, and a step for each block"


@pytest.mark.parametrize("samples", [0, 300, 1279])
def test_a_recording_that_is_too_short_for_a_voice_is_refused(voice: VoiceEncoder, samples: int) -> None:
    with pytest.raises(BadRequest, match=r"0\.05 s or more"):
        result(voice.pieces(recording()[:samples]))
    assert np.isfinite(np.array(result(voice.pieces(recording()[:1280])))).all()


# --- Checkpoints ---------------------------------------------------------------------------------------------------


def blank(which: str) -> dict[str, mx.array]:
    """Tensors of the shapes of a published checkpoint, which take no memory until somebody computes with them."""
    return {name: mx.zeros(shape) for name, shape in names(which).items()}


def test_the_published_codec_maps_whole() -> None:
    shape = CodecShape()
    assert len(names("codec")) == 496
    decoding, encoding = codec_weights(blank("codec"), shape)
    decoder = codec.CodecDecoder(decoding, shape.decoder)
    encoder = codec.CodecEncoder(encoding, shape.encoder, shape.encoder_codebooks)
    assert decoder.frame == encoder.frame == RATE * 2 // 25
    assert decoder.codebooks == 16
    state = decoder.open(3)
    assert decoder.step(mx.zeros((3, 16, 2), mx.int32), state).shape == (3, 3840)
    assert state.nbytes / 3 < 6_000_000, "bytes of a stream"


@pytest.mark.parametrize(("which", "size"), [("0.6B", 1024), ("1.7B", 2048)])
def test_the_published_speaker_encoders_map_whole(which: str, size: int) -> None:
    published, shape = blank(f"{which} speaker"), SpeakerShape.of({"enc_dim": size})
    converted = {
        name: tensor.swapaxes(1, 2) if tensor.ndim == 3 else tensor for name, tensor in published.items()
    }  # as MLX's conversions have kernels
    for layout in (published, converted):
        weights = voice_weights(layout | {"talker.codec_head.weight": mx.zeros(1)}, shape)
        assert len(weights) == len(published)
        assert VoiceEncoder(weights, shape).size == size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder.pre_conv.conv.bias": None}, "lack 'decoder.pre_conv.conv.bias'"),
        ({"decoder.decoder.7.conv.bias": mx.zeros(1)}, "1 weights more than known: 'decoder.decoder.7.conv.bias'"),
        ({"encoder.downsample.conv.weight": mx.zeros((32, 32, 3))}, r"config.json says \(32, 32, 4\)"),
    ],
)
def test_a_codec_that_is_not_whole_is_refused(change: dict[str, mx.array | None], message: str) -> None:
    changed = {name: tensor for name, tensor in (tensors("tiny") | change).items() if tensor is not None}
    with pytest.raises(WeightsDamaged, match=message):
        codec_weights(changed, CodecShape.of(CODEC))


@pytest.mark.parametrize("name", ["speaker_encoder.fc.bias", "speaker_encoder.blocks.1.tdnn1.conv.weight"])
def test_a_speaker_encoder_that_is_not_whole_is_refused(name: str) -> None:
    whole = tensors("tiny speaker")
    shape = SpeakerShape.of(SPEAKER)
    with pytest.raises(WeightsDamaged, match=name.rpartition(".")[0]):
        voice_weights({key: tensor for key, tensor in whole.items() if key != name}, shape)
    with pytest.raises(WeightsDamaged, match=name.rpartition(".")[0]):
        voice_weights(whole | {name: mx.zeros((3, 3, 3))}, shape)
    with pytest.raises(WeightsDamaged, match=r"not known: speaker_encoder\.more"):
        voice_weights(whole | {"speaker_encoder.more": mx.zeros(1)}, shape)


def test_another_codec_is_refused(tmp_path: Path, loaded: Callable[..., Any]) -> None:
    folder = write_codec(tmp_path / "speech_tokenizer")
    (folder / "config.json").write_text(json.dumps(CODEC | {"model_type": "qwen3_tts_tokenizer_25hz"}))
    with pytest.raises(ModelUnavailable, match="qwen3_tts_tokenizer_25hz"):
        loaded(codec.load(folder))


def test_who_does_not_clone_loads_no_encoder(
    tmp_path: Path, loaded: Callable[..., Any], speech: codec.SpeechCodec
) -> None:
    half = loaded(codec.load(write_codec(tmp_path / "speech_tokenizer"), mx.bfloat16, encoder=False))
    assert half.encoder is None
    assert half.nbytes < speech.nbytes / 2
    samples = decoded(half.decoder, CODES, [4])
    noise = samples[:, ::EVERY] - REFERENCE["samples"]
    assert np.square(noise).mean() < 0.01 * np.square(REFERENCE["samples"]).mean()
