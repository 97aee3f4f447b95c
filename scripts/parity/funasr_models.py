"""Reference numbers for the tests of FSMN-VAD, Paraformer, CT-Transformer and SenseVoice: FunASR itself, 1.4.16.

python -P scripts/parity/funasr_models.py tests/engines/data/funasr.json FSMN_VAD_FOLDER CLIP...

It needs torch, torchaudio, funasr, soundfile, rapidfuzz, kaldiio, torch_complex and librosa. FSMN_VAD_FOLDER has the
real model.pt and am.mvn. The other networks are tiny, and each of their weights is made from its name, as the tests do.
"""

import json
import sys
import zlib
from pathlib import Path
from typing import Any

import funasr  # noqa: F401  registers the classes
import numpy as np
import soundfile
import torch
import torchaudio.compliance.kaldi as kaldi
from funasr.register import tables
from funasr.utils.postprocess_utils import sentence_postprocess
from funasr.utils.timestamp_tools import ts_prediction_lfr6_standard as timed

RATE = 16_000
WIDTH, WORDS, PIECES = 32, 50, 60
SANM = {
    "input_layer": "pe", "pos_enc_class": "SinusoidalPositionEncoder", "normalize_before": True, "kernel_size": 11,
    "sanm_shfit": 0, "selfattention_layer_type": "sanm",
}  # fmt: skip
VAD = {
    "input_dim": 400, "input_affine_dim": 140, "fsmn_layers": 4, "linear_dim": 250, "proj_dim": 128, "lorder": 20,
    "rorder": 0, "lstride": 1, "rstride": 0, "output_affine_dim": 140, "output_dim": 248,
}  # fmt: skip
SEARCH = {"max_end_silence_time": 800, "max_single_segment_time": 60_000, "speech_noise_thres": 0.6}
"""What the checkpoint's config.yaml says of the search for speech."""
MARKS = ["<unk>", "_", "，", "。", "？", "、"]


def fill(model: torch.nn.Module) -> dict[str, list[int]]:
    """Give each tensor values made from its name. Returns the shapes."""
    state = model.state_dict()
    for name, tensor in state.items():
        state[name] = torch.from_numpy(made(name, tuple(tensor.shape)))
    model.load_state_dict(state)
    model.eval()
    return {name: list(tensor.shape) for name, tensor in state.items()}


def made(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * 0.2
    is_norm = name.endswith("norm.weight") or name.rpartition(".")[0].endswith(("norm1", "norm2", "norm3"))
    return (noise + (is_norm and name.endswith("weight"))).astype(np.float32)


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def rounded(tensor: torch.Tensor) -> list[Any]:
    return np.round(tensor.detach().double().numpy(), 5).tolist()


def banks() -> dict[str, Any]:
    sound = noise(0, 4000)[None] * 0.1
    options = {"num_mel_bins": 80, "dither": 0.0, "sample_frequency": RATE}
    hamming = kaldi.fbank(sound * 32768, window_type="hamming", energy_floor=0.0, **options)
    povey = kaldi.fbank(sound, **options)
    front = tables.frontend_classes.get("WavFrontend")(window="hamming", lfr_m=7, lfr_n=6, dither=0.0)
    stacked, _ = front(sound, torch.tensor([sound.shape[1]]))
    return {
        "hamming": rounded(hamming[:, ::7]), "povey": rounded(povey[:, ::7]),
        "frames": len(hamming), "stacked": rounded(stacked[0, :, ::23]),
    }  # fmt: skip


def vad(folder: Path, clips: list[Path]) -> dict[str, Any]:
    model = tables.model_classes.get("FsmnVADStreaming")(encoder="FSMN", encoder_conf=VAD, **SEARCH)
    model.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
    model.eval()
    front = tables.frontend_classes.get("WavFrontendOnline")(
        cmvn_file=str(folder / "am.mvn"), window="hamming", lfr_m=5, lfr_n=1, dither=0.0
    )
    found = {}
    for clip in clips:
        samples, rate = soundfile.read(clip, dtype="float32")
        assert rate == RATE, f"{clip} has {rate} Hz"
        sound = torch.from_numpy(samples)
        result, _ = model.inference([sound], key=["a"], frontend=front, device="cpu", cache={}, **SEARCH)
        features, _ = front(sound[None], torch.tensor([len(samples)]), cache={}, is_final=True)
        silence = model.encoder(features, cache={})[0, :, 0]
        found[clip.stem] = {"segments": result[0]["value"], "speech": rounded(1 - silence)[::5], "frames": len(silence)}
    return found


class Given(torch.nn.Module):  # type: ignore[misc]
    """In place of the network: the probability of silence that was drawn."""

    def __init__(self, speech: np.ndarray[Any, Any]) -> None:
        super().__init__()
        self.speech = torch.from_numpy(speech)

    def forward(self, features: torch.Tensor, cache: object) -> torch.Tensor:
        return (1 - self.speech)[None, :, None]


def segments() -> list[Any]:
    """Segments of drawn probabilities."""
    found = []
    for seed in range(18):
        speech = drawn(seed)
        model = tables.model_classes.get("FsmnVADStreaming")(encoder="FSMN", encoder_conf=VAD, **SEARCH)
        model.encoder = Given(speech)
        cache = model.init_cache({})
        told = model(
            feats=torch.zeros(1, len(speech), 400), waveform=torch.zeros(1, 160 * len(speech) + 240), cache=cache,
            is_final=True, is_streaming_input=False,
        )  # fmt: skip
        found.append(told[0] if told else [])
    return found


def drawn(seed: int) -> np.ndarray[Any, Any]:
    """Probabilities of speech: stretches of speech and silence, with frames that are the other between them."""
    draw = np.random.RandomState(seed)
    longest = (60, 150, 9000)[seed % 3]
    lengths = draw.randint(1, longest, 12)
    speech = np.repeat(np.arange(12) % 2, lengths) ^ (draw.rand(lengths.sum()) < 0.08)
    return (0.05 + 0.9 * speech).astype(np.float32)


def paraformer() -> dict[str, Any]:
    model = tables.model_classes.get("Paraformer")(
        input_size=560,
        vocab_size=WORDS,
        encoder="SANMEncoder",
        encoder_conf={"output_size": WIDTH, "attention_heads": 4, "linear_units": 64, "num_blocks": 3, **SANM},
        decoder="ParaformerSANMDecoder",
        decoder_conf={
            "attention_heads": 4, "linear_units": 48, "num_blocks": 2, "att_layer_num": 2, "kernel_size": 11,
            "sanm_shfit": 0,
        },
        predictor="CifPredictorV2",
        predictor_conf={"idim": WIDTH, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45},
        predictor_bias=1,
        ctc_weight=0.0,
    )  # fmt: skip
    shapes = fill(model)
    clips = []
    for seed, frames in ((1, 40), (22, 31), (3, 7)):
        features, length = noise(seed, 1, frames, 560), torch.tensor([frames])
        encoded, lengths = model.encode(features.clone(), length)
        embeddings, count, parts, peaks = model.calc_predictor(encoded, lengths)
        count = count.round().long()
        scores, _ = model.cal_decoder_with_predictor(encoded, lengths, embeddings, count)
        tokens = int(count[0])
        _, times = timed(parts[0].clone(), peaks[0].clone(), ["a"] * (tokens - 1), upsample_rate=1)
        clips.append({
            "seed": seed, "frames": frames, "encoded": rounded(encoded[0, ::6]), "parts": rounded(parts[0]),
            "fires": torch.where(peaks[0] >= 1)[0].tolist(), "embeddings": rounded(embeddings[0, :tokens]),
            "scores": rounded(scores[0, :tokens]), "times": times,
        })  # fmt: skip
    return {"shapes": shapes, "clips": clips, "texts": texts()}


def texts() -> list[Any]:
    """Tokens, and the text that they are written as. A part of a word always has another behind it."""
    parts = [["的"], ["天"], ["气"], ["hel@@", "lo"], ["world"], ["it's"], ["a"], ["b"], ["3"], ["</s>"], ["<unk>"]]
    found = []
    for seed in range(40):
        draw = np.random.RandomState(seed)
        tokens = [token for place in draw.randint(0, len(parts), draw.randint(1, 12)) for token in parts[place]]
        written, *_ = sentence_postprocess(list(tokens))
        found.append([tokens, written])
    return found


class Words:
    """A tokenizer that knows words by their place."""

    def __init__(self, words: list[str]) -> None:
        self.places = {word: place for place, word in enumerate(words)}

    def encode(self, words: list[str]) -> np.ndarray[Any, Any]:
        return np.array([self.places.get(word, 0) for word in words], np.int64)


def punctuation() -> dict[str, Any]:
    conf = {
        "input_size": WIDTH,
        "output_size": WIDTH,
        "attention_heads": 4,
        "linear_units": 64,
        "num_blocks": 3,
        **SANM,
    }
    model = tables.model_classes.get("CTTransformer")(
        encoder="SANMEncoder", encoder_conf=conf | {"padding_idx": 0}, vocab_size=WORDS, punc_list=MARKS,
        embed_unit=WIDTH, att_unit=WIDTH, ignore_id=0,
    )  # fmt: skip
    shapes = fill(model)
    words = vocabulary()
    texts = []
    for seed, length, favoured in ((4, 70, None), (5, 13, None), (6, 20, None), (7, 330, 2), (8, 260, 1)):
        draw = np.random.RandomState(seed)
        text = " ".join(words[place] for place in draw.randint(1, WORDS, length))
        model.decoder.bias.copy_(torch.from_numpy(made("decoder.bias", (len(MARKS),))))
        model.decoder.bias[0] -= 100  # no training teaches it
        if favoured is not None:  # no sentence ends by itself
            model.decoder.bias[3:5] -= 100
            model.decoder.bias[favoured] += 2
        scores = model.punc_forward(*chunk(model, words, text))[0][0]
        result, _ = model.inference([text], key=["a"], tokenizer=Words(words), device="cpu")
        texts.append({"text": text, "favoured": favoured, "scores": rounded(scores), "written": result[0]["text"]})
    return {"shapes": shapes, "words": words, "texts": texts}


def chunk(model: torch.nn.Module, words: list[str], text: str) -> tuple[torch.Tensor, torch.Tensor]:
    first = torch.from_numpy(Words(words).encode(text.split()[:12]))[None]
    return first, torch.tensor([first.shape[1]])


def vocabulary() -> list[str]:
    """Chinese characters and English words."""
    return [
        "<unk>",
        *(chr(0x4E00 + 7 * place) for place in range(1, 35)),
        *(f"word{'abcdefghijklmno'[n]}" for n in range(15)),
    ]


def sensevoice() -> dict[str, Any]:
    model = tables.model_classes.get("SenseVoiceSmall")(
        encoder="SenseVoiceEncoderSmall",
        encoder_conf={
            "output_size": WIDTH, "attention_heads": 4, "linear_units": 64, "num_blocks": 3, "tp_blocks": 2, **SANM,
        },
        input_size=560, vocab_size=PIECES, ctc_conf={"dropout_rate": 0.0, "ctc_type": "builtin", "reduce": True},
    )  # fmt: skip
    shapes = fill(model)
    clips = []
    for seed, frames, language in ((11, 40, "auto"), (12, 23, "yue")):
        asked = model.embed(torch.tensor([[model.lid_dict[language], 1, 2, model.textnorm_dict["withitn"]]]))
        seen = torch.cat([asked, noise(seed, 1, frames, 560)], 1)
        encoded, _ = model.encoder(seen, torch.tensor([seen.shape[1]]))
        scores = model.ctc.log_softmax(encoded)[0]
        clips.append({
            "seed": seed, "frames": frames, "language": language, "scores": rounded(scores[::5]),
            "best": scores.argmax(1).tolist(), "pieces": said(scores[4:].argmax(1)),
        })  # fmt: skip
    return {"shapes": shapes, "clips": clips}


def said(best: torch.Tensor) -> list[int]:
    pieces = torch.unique_consecutive(best)
    return pieces[pieces != 0].tolist()


@torch.no_grad()
def main(out: str, folder: str, *clips: str) -> None:
    numbers = {
        "banks": banks(), "vad": vad(Path(folder), [Path(clip) for clip in clips]), "segments": segments(),
        "paraformer": paraformer(),
        "punctuation": punctuation(), "sensevoice": sensevoice(),
    }  # fmt: skip
    Path(out).write_text(json.dumps(numbers, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
