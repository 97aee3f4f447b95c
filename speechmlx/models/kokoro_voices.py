"""Kokoro's voices and the names of other services that stand for them: data of its row in the catalog."""

from __future__ import annotations

from collections.abc import Iterator

from speechmlx.models.voices import VoiceList

NAMES = tuple(
    (
        "af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_nova af_river af_sarah af_sky "
        "am_adam am_echo am_eric am_fenrir am_liam am_michael am_onyx am_puck am_santa "
        "bf_alice bf_emma bf_isabella bf_lily bm_daniel bm_fable bm_george bm_lewis "
        "ef_dora em_alex em_santa ff_siwis hf_alpha hf_beta hm_omega hm_psi if_sara im_nicola "
        "jf_alpha jf_gongitsune jf_nezumi jf_tebukuro jm_kumo pf_dora pm_alex pm_santa "
        "zf_xiaobei zf_xiaoni zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang"
    ).split()
)

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

PERSONAPLEX = {
    "natf": ("af_heart", "af_bella", "af_nicole", "af_sarah"),
    "natm": ("am_michael", "am_fenrir", "am_puck", "am_adam"),
    "varf": ("bf_emma", "bf_isabella", "bf_alice", "bf_lily", "af_nova"),
    "varm": ("bm_george", "bm_fable", "bm_lewis", "bm_daniel", "am_onyx"),
}
"""Natural and varied, female and male, numbered from 0; the last voice stands for all higher numbers."""

BY_GENDER = {
    "en": ("af_heart", "am_michael"),
    "es": ("ef_dora", "em_alex"),
    "fr": ("ff_siwis", "ff_siwis"),
    "hi": ("hf_alpha", "hm_omega"),
    "it": ("if_sara", "im_nicola"),
    "ja": ("jf_alpha", "jm_kumo"),
    "pt": ("pf_dora", "pm_alex"),
    "zh": ("zf_xiaoxiao", "zm_yunxi"),
    "[a-z]{2}": ("af_heart", "am_michael"),
}
"""Female and male voice per language, for names like en_female_calm; the last row is for every other language."""

AURA = {
    "af_alloy": "callista cora harmonia",
    "af_aoede": "aurora iris",
    "af_bella": "andromeda hera juno",
    "af_heart": "asteria helena thalia",
    "af_jessica": "cordelia delia",
    "af_kore": "electra phoebe",
    "af_nicole": "luna selene",
    "af_nova": "amalthea minerva",
    "af_river": "janus ophelia",
    "af_sarah": "athena vesta",
    "af_sky": "stella",
    "am_adam": "neptune zeus",
    "am_echo": "apollo",
    "am_eric": "arcas atlas",
    "am_fenrir": "jupiter orpheus",
    "am_liam": "hermes pluto",
    "am_michael": "orion",
    "am_onyx": "mars saturn",
    "am_puck": "aries",
    "am_santa": "odysseus",
    "bf_emma": "pandora",
    "bf_isabella": "theia",
    "bm_daniel": "hyperion",
    "bm_fable": "angus",
    "bm_george": "draco",
    "bm_lewis": "helios perseus",
    "ef_dora": "agustina antonia carina celeste diana estrella gloria olivia selena silvia",
    "em_alex": "alvaro aquila javier luciano nestor sirio valerio",
    "ff_siwis": "agathe hector",
    "if_sara": "cinzia demetra livia maia melia",
    "im_nicola": "cesare dionisio elio flavio",
    "jf_alpha": "ama izanami uzume",
    "jm_kumo": "ebisu fujin",
}
"""Voice of this model → the voices of Deepgram that it stands for: NAME of aura-NAME-LANGUAGE, aura-2-NAME-LANGUAGE.

It has the same language and gender, where this model has a voice of that kind.
"""

LANGUAGES = (
    ("a.*", "en-US"),
    ("b.*", "en-GB"),
    ("e.*", "es"),
    ("f.*", "fr"),
    ("h.*", "hi"),
    ("i.*", "it"),
    ("j.*", "ja"),
    ("p.*", "pt-BR"),
    ("z.*", "zh"),
)
"""A voice's first letter tells its language."""
ESPEAK = ("espeakng_loader", "/espeak-ng")
NEEDS = {"ja": ("pyopenjtalk",), "zh": ("jieba",)} | dict.fromkeys(("es", "fr", "hi", "it", "pt-BR"), ESPEAK)
"""What an extra installs for a language; for most, the program espeak-ng does as well."""


def _patterns() -> Iterator[tuple[str, str]]:
    for name, voices in PERSONAPLEX.items():
        yield from ((rf"{name}_?{number}", voice) for number, voice in enumerate(voices))
        yield rf"{name}_?\d", voices[-1]
    for language, (female, male) in BY_GENDER.items():
        yield rf"{language}_female(_\w+)?", female
        yield rf"{language}_male(_\w+)?", male
    for voice, names in AURA.items():
        yield rf"aura(_2)?_({names.replace(' ', '|')})_[a-z]{{2}}", voice
    for language, (female, _) in BY_GENDER.items():
        yield rf"aura(_2)?_[a-z]+_{language}", female


KOKORO = VoiceList(NAMES, OPENAI, tuple(_patterns()), blends=True, languages=LANGUAGES, needs=NEEDS, imitates=False)
