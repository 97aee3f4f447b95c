"""A catalog whose models have scripted engines and keep their names and voices: for the commands of the documents."""

from __future__ import annotations

from dataclasses import replace

from support.scripted import ROW
from support.scripted_conversation import HERE

from speechmlx.models.spec import Catalog
from speechmlx.types import Kind

ENGINES = {
    Kind.ASR: f"{HERE}:load_live",
    Kind.TTS: f"{HERE}:load_tts",
    Kind.LLM: f"{HERE}:load_llm",
    Kind.VAD: f"{HERE}:load_vad",
    Kind.TURN: f"{HERE}:load_turn",
    Kind.DIARIZE: "support.scripted:load_diarizer",
    Kind.ENHANCE: ROW.engine,
}


def stand_in(catalog: Catalog) -> Catalog:
    """SPEECHMLX_CATALOG names this function."""
    rows = (
        replace(row, engine=ENGINES[row.kind], sources=ROW.sources, companions=(), size=0, memory=ROW.memory, narrow=0)
        for row in catalog.rows
        if row.runnable and row.kind in ENGINES
    )
    return replace(catalog, rows=tuple(rows))
