"""Writes the tables of docs/models.md and docs/voices.md from the catalog, between their comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from speechmlx.languages import NAMES
from speechmlx.machine import CACHE_SHARE, GIB, GPU_SHARE, MACS, default_memory
from speechmlx.models.bridge.families import FAMILIES
from speechmlx.models.catalog import CATALOG
from speechmlx.models.kokoro_voices import KOKORO, OPENAI
from speechmlx.models.rows.whisper import WHISPER_LANGUAGES
from speechmlx.models.spec import Catalog, IndexFiles, Model
from speechmlx.types import Kind

DOCS = Path(__file__).parents[1] / "docs"
KINDS = {
    Kind.ASR: "hears",
    Kind.TTS: "speaks",
    Kind.LLM: "answers",
    Kind.S2S: "hears and speaks",
    Kind.ENHANCE: "enhances",
    Kind.DIARIZE: "tells speakers apart",
    Kind.ALIGN: "gives times to words",
    Kind.LID: "tells languages apart",
    Kind.VAD: "detects speech",
    Kind.TURN: "detects the end of a turn",
}
REGIONS = {
    "en-US": "English (American)",
    "en-GB": "English (British)",
    "pt-BR": "Portuguese (Brazil)",
    "zh": "Chinese (Mandarin)",
}
NEEDS = {"ja": "the extra `ja`", "zh": "the extra `zh`"}


PARITY = Path(__file__).parent / "parity"
SMALL = "small random weights"
NUMBERS = {
    "whisper": "published weights (tiny.en, base); small random weights in transformers' layout",
    "kokoro": "none; recognition reads its speech back",
    "deepfilternet": "published weights",
    "silero": "published weights",
    "fsmn_vad": "published weights",
    "smart_turn": "published weights",
    "ecapa": "published weights",
    "paraformer": SMALL,
    "sensevoice": SMALL,
    "llm": "none; the networks are mlx-lm's",
    "mlx_audio": "small random weights; the networks are mlx-audio's",
}
"""With which weights the numbers of an engine are the reference's; of others: SMALL where scripts/parity has theirs."""


WORKS = {"streams": "streams", "batch": "streams, batch", "whole": "in parts", "live": "in parts, live"}
PROOFS = {"tiny": "random weights", "": "no"}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("| --- ", "|---").replace("--- |", "---|") for line in lines)


def amount(size: int) -> str:
    """Bytes as people write them, with two digits that count: 92 MB, 1.6 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"


def languages(row: Model) -> str:
    return (
        "all" if not row.languages else ", ".join(row.languages) if len(row.languages) < 12 else str(len(row.languages))
    )


def models(catalog: Catalog) -> str:
    header = ("model", "what it does", "download", "memory on a Mac", "memory on Linux", "languages", "licence")
    rows = sorted(catalog.offered(), key=lambda row: list(KINDS).index(row.kind))
    return table(
        header,
        [
            (
                f"`{row.name}`",
                KINDS[row.kind],
                amount(row.size),
                amount(row.bytes_as("float16")),
                amount(row.bytes_as("float32")),
                languages(row),
                row.licence,
            )
            for row in rows
        ],
    )


def numbers(row: Model) -> str:
    """With which weights the numbers of a row's engine are those of its reference."""
    engine = row.engine.partition(":")[0].rpartition(".")[2]
    known = NUMBERS.get(engine) or (SMALL if any(PARITY.glob(f"{engine}*.py")) else "none")
    return known if row.runnable else "cannot run here"


def is_tried(row: Model) -> bool:
    """Whether the tests run with a row's own weights: those of the package index, which they reach."""
    return any(isinstance(source, IndexFiles) for source in row.sources)


def proofs(catalog: Catalog) -> str:
    """What is shown of each row: one line for those of which the same is shown."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for row in sorted(catalog.rows, key=lambda row: list(KINDS).index(row.kind)):
        key = (KINDS[row.kind], numbers(row), "in the tests" if is_tried(row) else "never loaded", row.licence)
        groups.setdefault(key, []).append(f"`{row.name}`")
    header = ("models", "what they do", "numbers", "published weights", "licence")
    return table(header, [(", ".join(names), *key) for key, names in groups.items()])


def profiles(catalog: Catalog) -> str:
    kinds = (Kind.ASR, Kind.TTS, Kind.LLM, Kind.ENHANCE, Kind.DIARIZE)
    names = (*(KINDS[kind] for kind in kinds), "live words")
    header = ("profile", *names, "download", "memory on a Mac", "memory on Linux")
    lines = []
    for name, chosen in catalog.profiles.items():
        rows = [catalog.resolve(model) for model in catalog.models_of(name)]
        sizes = [
            sum(row.size for row in rows),
            *(sum(row.bytes_as(kind) for row in rows) for kind in ("float16", "float32")),
        ]
        listener = catalog.listeners.get(name, chosen[Kind.ASR])
        lines.append((f"`{name}`", *(chosen[kind] for kind in kinds), listener, *map(amount, sizes)))
    return table(header, lines)


def spoken(catalog: Catalog) -> str:
    """What each language chooses alone: a line for each choice, the one of most languages last."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for code in NAMES:
        kinds = catalog.of_profile("standard", (code,))
        listener = catalog.listener_of("standard", (code,)) or kinds[Kind.ASR]
        times = "none" if catalog.resolve(kinds[Kind.ASR]).untimed else "its own"
        groups.setdefault((kinds[Kind.ASR], listener, kinds.get(Kind.ALIGN, times)), []).append(code)
    header = (
        "people speak",
        "hears",
        "live words",
        "times of words of recordings",
        "`standard` in memory on a Mac",
        "`large`",
    )
    lines = []
    for number, (models, codes) in enumerate(sorted(groups.items(), key=lambda group: len(group[1])), 1):
        names = "each other language" if number == len(groups) else ", ".join(NAMES[code].title() for code in codes)
        lines.append((names, *models, *(amount(_on_a_mac(catalog, name, codes[0])) for name in ("standard", "large"))))
    return table(header, lines)


def _on_a_mac(catalog: Catalog, name: str, code: str) -> int:
    return sum(catalog.resolve(model).bytes_as("float16") for model in catalog.models_of(name, (code,)))


def candidates(catalog: Catalog) -> str:
    """The order in which recognisers are considered, and why; the same for both profiles."""
    order = catalog.by_language["standard"]
    lines = [
        (what, f"`{one.model}`", one.reason)
        for what, found in (("recordings and turns", order.recordings), ("live words", order.live))
        for one in found
    ]
    return table(("for", "model", "why here"), lines)


def macs() -> str:
    """What the memory of a Mac decides, the smallest first."""
    header = (
        "Mac",
        "default models",
        "an unused model leaves memory after",
        "models may have",
        "MLX keeps freed memory up to",
    )
    sizes = [8, *(one.memory // GIB for one in reversed(MACS) if one.memory)]
    lines = []
    for number, (size, one) in enumerate(zip(sizes, reversed(MACS), strict=True)):
        after = f"{one.idle_unload / 60:.0f} minutes" if one.idle_unload else "never"
        name = f"{size} GB" + (" and more" if number == len(sizes) - 1 else "")
        memory = size * GIB
        may_have, kept = default_memory(memory, int(memory * GPU_SHARE)), int(memory * CACHE_SHARE)
        lines.append((name, f"`{one.profile}`", after, amount(may_have), amount(kept)))
    return table(header, lines)


def voices() -> str:
    lines = []
    for tag in dict.fromkeys(tag for _, tag in KOKORO.languages):
        own = [name for name in KOKORO.names if KOKORO.language(name) == tag]
        sexes = (", ".join(f"`{name}`" for name in own if name[1] == sex) or "none" for sex in "fm")
        needs = NEEDS.get(tag, "espeak-ng" if tag in KOKORO.needs else "nothing")
        lines.append((REGIONS.get(tag, NAMES[tag[:2]].capitalize()), *sexes, needs))
    return table(("language", "women", "men", "needs"), lines)


def openai_voices() -> str:
    return table(("OpenAI's voice", "is here"), [(f"`{name}`", f"`{own}`") for name, own in OPENAI.items()])


def recognised() -> str:
    named = sorted(NAMES[code].title() for code in WHISPER_LANGUAGES)
    return f"{', '.join(named[:-1])} and {named[-1]}."


def families() -> str:
    lines = [
        (
            f"`{family.name}`",
            KINDS[family.kind] if family.kind else "left out",
            WORKS.get(family.works, ""),
            PROOFS[family.proof] if family.kind else "",
            family.reason,
        )
        for family in FAMILIES
    ]
    return table(("family", "what it does", "how", "tried", "why it is left out"), lines)


def written(file: Path) -> str:
    """The text of a document with the parts between `<!-- catalog: NAME -->` and `<!-- end -->` as they should be."""
    parts = {
        "models": models(CATALOG),
        "proofs": proofs(CATALOG),
        "families": families(),
        "profiles": profiles(CATALOG),
        "macs": macs(),
        "spoken": spoken(CATALOG),
        "candidates": candidates(CATALOG),
        "voices": voices(),
        "openai": openai_voices(),
        "recognised": recognised(),
    }
    return re.sub(
        r"(<!-- catalog: (\w+) -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}{parts[found[2]]}\n{found[3]}",
        file.read_text(),
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    for name in ("models.md", "voices.md"):
        (DOCS / name).write_text(written(DOCS / name))
