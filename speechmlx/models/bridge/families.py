"""The families of mlx-audio 0.6.2: what each is here, how it works, what was tried, and which are left out and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from speechmlx.types import Kind

PARTS = ("tts", "stt", "sts", "vad", "lid", "music")
"""The parts of the package that hold families; `codec` holds parts of models."""


@dataclass(frozen=True)
class Family:
    """One family, by its folder in the package."""

    part: str
    name: str
    kind: Kind | None
    """What it is here; None: it is left out."""
    works: str = ""
    """"streams": chunks while it works; "batch": that, and requests share each step; "whole": sentence by sentence, or
    window by window; "live": that, and words or speakers while a person speaks."""
    rate: int = 16000
    """Hz of its input, or of its output for "tts"; a config.json of "tts" or "sts" that names another counts more."""
    proof: str = ""
    """"tiny": two interleaved jobs on tiny random weights equal the lone ones, exactly; "": not tried."""
    reason: str = ""
    """Why it is left out."""
    untimed: bool = False
    """As in `Model`."""


OWN = "the server has an engine of its own"
SECOND = "it fetches a second repository when it is loaded or used"
LLM = "it fetches SNAC from the hub when it is imported"


def _of(part: str, kind: Kind, works: str, names: str, rate: int = 16000, proof: str = "") -> tuple[Family, ...]:
    return tuple(Family(part, name, kind, works, rate, proof) for name in names.split())


def _out(part: str, reason: str, names: str) -> tuple[Family, ...]:
    return tuple(Family(part, name, None, reason=reason) for name in names.split())


TTS = (
    *_of("tts", Kind.TTS, "streams", "pocket_tts", 24000, "tiny"),
    *_of("tts", Kind.TTS, "streams", "qwen3_tts", 24000, "tiny"),
    *_of("tts", Kind.TTS, "streams", "breeze_tts", 24000, "tiny"),
    *_of("tts", Kind.TTS, "streams", "fish_qwen3_omni fish_drama3", 44100, "tiny"),
    *_of("tts", Kind.TTS, "batch", "higgs_audio_v3", 24000, "tiny"),
    *_of("tts", Kind.TTS, "whole", "omnivoice", 24000, "tiny"),
    *_of("tts", Kind.TTS, "whole", "soprano", 32000, "tiny"),
    *_of("tts", Kind.TTS, "whole", "voxcpm", 44100, "tiny"),
    *_of("tts", Kind.TTS, "whole", "voxcpm2", 48000, "tiny"),
    *_of("tts", Kind.TTS, "whole", "kitten_tts", 24000, "tiny"),
    *_of("tts", Kind.TTS, "streams", "voxtral_tts", 24000, "tiny"),
    *_out("tts", OWN, "kokoro melotts"),
    *_out("tts", LLM, "llama qwen3"),
    *_out(
        "tts",
        SECOND,
        "arktts bark bailingmm chatterbox chatterbox_turbo confucius4 dense dia dramabox echo_tts higgs_audio "
        "indextts irodori_tts kugelaudio lingv3_tts longcat_audiodit moss_tts moss_tts_delay moss_tts_local "
        "moss_tts_nano outetts rumik_oss spark tada vibevoice zonos2",
    ),
    *_out("tts", "its watermark needs torch", "sesame"),
)
STT = (
    *_of(
        "stt",
        Kind.ASR,
        "whole",
        "canary cohere_asr fireredasr2 fun_asr_nano glmasr granite_speech granite_speech5_ctc granite_speech_nar mms "
        "moonshine moss_transcribe_diarize qwen2_audio sensevoice",
        proof="tiny",
    ),
    Family("stt", "qwen3_asr", Kind.ASR, "whole", proof="tiny", untimed=True),
    *_of("stt", Kind.ALIGN, "whole", "qwen3_forced_aligner", proof="tiny"),
    *_of("stt", Kind.ASR, "live", "nemotron_asr parakeet voxtral_realtime", proof="tiny"),
    *_out("stt", OWN, "whisper"),
    *_out("stt", SECOND, "higgs_audio_3 mimo_v2_asr vibevoice_asr ming_v3_asr"),
    *_out("stt", "what prepares its input needs torch", "voxtral"),
    *_out("stt", "it describes music, and no request asks for that", "moss_music"),
    *_out("stt", "its weights come in a container that is not safetensors", "phonon phonon2"),
    *_out("stt", "it switches weights of a model that others share", "mega_asr"),
    *_out("stt", "the package has no call that recognises with it", "lasr_ctc wav2vec"),
    *_out("stt", "parts that other families share", "nemo"),
)
OTHERS = (
    *_out("sts", OWN, "deepfilternet"),
    *_of("sts", Kind.ENHANCE, "whole", "mossformer2_se", 48000, "tiny"),
    *_of("sts", Kind.ENHANCE, "whole", "mel_roformer", 44100, "tiny"),
    *_out("sts", "it answers with a recording for each voice, and no request takes several", "dialogue_sidon"),
    *_out("sts", SECOND, "sam_audio mimo_audio nemotron_voicechat moshi"),
    *_out("sts", "speech to speech has no adapter in this version", "lfm_audio ming_v3_audio"),
    *_out("vad", OWN, "silero_vad smart_turn"),
    *_of("vad", Kind.DIARIZE, "live", "sortformer nemotron_diarization", proof="tiny"),
    *_out("vad", "no adapter of this version runs it", "fsmn"),
    *_of("lid", Kind.LID, "whole", "ecapa_tdnn wav2vec2", proof="tiny"),
    *_out("music", "no request asks for music", "minimax_music3"),
)

FAMILIES = (*TTS, *STT, *OTHERS)


def find(part: str, name: str) -> Family | None:
    """The family in that folder of the package; None where there is none."""
    return next((family for family in FAMILIES if (family.part, family.name) == (part, name)), None)


def offered() -> Iterator[Family]:
    """The families that run here."""
    return (family for family in FAMILIES if family.kind is not None)
