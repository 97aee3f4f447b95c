"""Rows of models that speak with the voices of recordings alone."""

from __future__ import annotations

from speechmlx.models.rows.common import CONVERT, MB
from speechmlx.models.spec import Companion, HubFiles, IndexFiles, Model, PackageFile
from speechmlx.models.voices import PRESETS, VoiceList
from speechmlx.types import Kind

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

FISHSPEECH_FILES = (
    "config.json",
    "model.pth",
    "firefly-gan-vq-fsq-8x1024-21hz-generator.pth",
    "tokenizer.tiktoken",
    "special_tokens.json",
)

FISHSPEECH = (
    Model(
        name="fishspeech-1.5",
        kind=Kind.TTS,
        engine="speechmlx.engines.fishspeech:load",
        sources=(
            HubFiles(
                "fishaudio/fish-speech-1.5",
                "268b6ec86243dd683bc78dab7e9a6cedf9191f2a",
                FISHSPEECH_FILES,
                f"{CONVERT}.fishspeech:convert",
            ),
        ),
        size=1468 * MB,
        memory=2326 * MB,
        narrow=1257 * MB,
        rate=44100,
        licence="CC-BY-NC-SA-4.0: no commercial use",
        languages=("en", "zh", "ja", "de", "fr", "es", "ko", "ar", "ru", "nl", "it", "pl", "pt"),
        aliases=("fishspeech", "fish-speech"),
        elsewhere=r"((fishaudio|jkeisling)/)?fish-?speech-1\.5",
    ),
)
