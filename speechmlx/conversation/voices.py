"""Voice presets of other models and services, told to a synthesiser that has voices of its own."""

from __future__ import annotations

import re
from collections.abc import Collection

from speechmlx.names import spelt

PRESETS = {
    "natf": ("af_heart", "af_bella", "af_nicole", "af_sarah"),
    "natm": ("am_michael", "am_fenrir", "am_puck", "am_adam"),
    "varf": ("bf_emma", "bf_isabella", "bf_alice", "bf_lily", "af_nova"),
    "varm": ("bm_george", "bm_fable", "bm_lewis", "bm_daniel", "am_onyx"),
}
"""PersonaPlex: natural and varied, female and male, numbered."""

BY_GENDER = {
    "en": ("af_heart", "am_michael"),
    "es": ("ef_dora", "em_alex"),
    "fr": ("ff_siwis", "ff_siwis"),
    "hi": ("hf_alpha", "hm_omega"),
    "it": ("if_sara", "im_nicola"),
    "ja": ("jf_alpha", "jm_kumo"),
    "pt": ("pf_dora", "pm_alex"),
    "zh": ("zf_xiaoxiao", "zm_yunxi"),
}
"""Female and male per language, for names like en_female_calm."""

OPENAI = {
    "alloy": "af_alloy",
    "ash": "am_michael",
    "ballad": "bm_george",
    "cedar": "am_fenrir",
    "coral": "af_bella",
    "echo": "am_echo",
    "fable": "bm_fable",
    "marin": "af_heart",
    "nova": "af_nova",
    "onyx": "am_onyx",
    "sage": "af_sarah",
    "shimmer": "af_sky",
    "verse": "am_puck",
}
"""OpenAI's voices."""


def candidates(voice: str | None) -> tuple[str | None, ...]:
    """What to ask a synthesiser for, in order: a preset's counterpart, then the default voice; else `voice`.

    Presets are known however they are written ("Alloy", " en-female-calm "); no name, or a blank one, is the default.
    """
    name = spelt(voice or "")
    if name in OPENAI:
        return (OPENAI[name], name, None)
    if found := re.fullmatch(r"(nat[fm]|var[fm])_?(\d)", name):
        family = PRESETS[found[1]]
        return (family[min(int(found[2]), len(family) - 1)], None)
    if found := re.fullmatch(r"([a-z]{2})_(female|male)(_\w+)?", name):
        return (BY_GENDER.get(found[1], BY_GENDER["en"])[found[2] == "male"], None)
    return ((voice or "").strip() or None,)


def offers(voices: Collection[str], voice: str | None) -> bool:
    """Whether a synthesiser with these voices speaks with `voice`: one of them, a preset, or a blend of several."""
    names = {spelt(name) for name in voices}
    return any(
        name is None or all(spelt(re.split(r"[*(]", part, maxsplit=1)[0]) in names for part in name.split("+"))
        for name in candidates(voice)
    )
