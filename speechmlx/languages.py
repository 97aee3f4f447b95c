"""Names of languages: BCP 47 tags, ISO 639 codes of two and three letters, English names. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from speechmlx.errors import BadRequest, Unsupported
from speechmlx.names import listed

_TABLE = """
af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian, bg bulgarian, bn bengali,
bo tibetan, br breton, bs bosnian, ca catalan, cs czech, cy welsh, da danish, de german, el greek, en english,
es spanish, et estonian, eu basque, fa persian, fi finnish, fo faroese, fr french, gl galician, gu gujarati, ha hausa,
haw hawaiian, he hebrew, hi hindi, hr croatian, ht haitian creole, hu hungarian, hy armenian, id indonesian,
is icelandic, it italian, ja japanese, jw javanese, ka georgian, kk kazakh, km khmer, kn kannada, ko korean, la latin,
lb luxembourgish, ln lingala, lo lao, lt lithuanian, lv latvian, mg malagasy, mi maori, mk macedonian, ml malayalam,
mn mongolian, mr marathi, ms malay, mt maltese, my myanmar, ne nepali, nl dutch, nn nynorsk, no norwegian, oc occitan,
pa punjabi, pl polish, ps pashto, pt portuguese, ro romanian, ru russian, sa sanskrit, sd sindhi, si sinhala,
sk slovak, sl slovenian, sn shona, so somali, sq albanian, sr serbian, su sundanese, sv swedish, sw swahili, ta tamil,
te telugu, tg tajik, th thai, tk turkmen, tl tagalog, tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek,
vi vietnamese, yi yiddish, yo yoruba, yue cantonese, zh chinese
"""

_OWN = """
deutsch de, français fr, francais fr, español es, espanol es, italiano it, português pt, portugues pt, nederlands nl,
polski pl, русский ru, українська uk, türkçe tr, svenska sv, dansk da, norsk no, suomi fi, čeština cs, magyar hu,
română ro, ελληνικά el, 中文 zh, 普通话 zh, 粤语 yue, 日本語 ja, 한국어 ko, العربية ar, עברית he, हिन्दी hi, ไทย th
"""
"""Names of languages in the language itself."""

NAMES = {code: name for code, _, name in (entry.strip().partition(" ") for entry in _TABLE.split(","))}
"""English name in lower case of each ISO 639 code that a model may return."""
LONGEST = 100
"""Characters of a tag or a name, at most: what a client sent in its place is neither compared nor kept."""
TAGS = {
    "burmese": "my",
    "castilian": "es",
    "farsi": "fa",
    "filipino": "tl",
    "flemish": "nl",
    "haitian": "ht",
    "letzeburgesch": "lb",
    "mandarin": "zh",
    "moldavian": "ro",
    "moldovan": "ro",
    "bokmål": "no",
    "bokmal": "no",
    "panjabi": "pa",
    "pushto": "ps",
    "sinhalese": "si",
    "valencian": "ca",
    "american english": "en-us",
    "british english": "en-gb",
    "brazilian portuguese": "pt-br",
    "simplified chinese": "zh-hans",
    "traditional chinese": "zh-hant",
    **dict(entry.split() for entry in _OWN.split(",")),
} | {name: code for code, name in NAMES.items()}
"""BCP 47 tag of each name."""
ENGLISH = ("au", "gb", "us")
"""Language of countries for which langcodes has none."""
SAME = 1
"""Largest distance between two tags of one language, such as nb and no."""


def asked(text: str | None) -> str | None:
    """The language that a client asks for. None for nothing, blanks, "auto" or "und": the model detects it."""
    word = (text or "").strip()
    return None if word.lower() in ("", "auto", "und") else word


def code(text: str | None) -> str | None:
    """The key of NAMES for `text`, without its region; its BCP 47 tag if NAMES has none. None as in `asked`."""
    wanted = asked(text)
    return None if wanted is None else match(wanted, NAMES) or tag(wanted)


def name(code: str | None) -> str:
    """The English name of a language code. A code without a name is returned as it is; None gives "unknown"."""
    return "unknown" if code is None else NAMES.get(match(code, NAMES) or "", code)


def tag(text: str) -> str:
    """The BCP 47 tag of a tag, a code or a name, in lower case.

    "EN_us" and "en_US.UTF-8" → "en-us", "ger" and "German" → "de", "iw" → "he". Other text is returned as it is.
    """
    return _tag(text) if len(text) <= LONGEST else text


@lru_cache(1000)
def _tag(text: str) -> str:
    word = re.sub(r"[.@].*", "", text.strip().lower())  # without a POSIX locale's encoding and variant
    spelt = " ".join(re.sub(r"\(.*\)$", "", word).replace("_", " ").split())
    word = TAGS.get(spelt, word)
    if word in NAMES:
        return word
    from langcodes import standardize_tag  # here: it takes 0.1 s

    try:
        return standardize_tag(word).lower()
    except ValueError:
        return word


def match(text: str, known: Iterable[str]) -> str | None:
    """The tag of `known` (lower case) for `text`: the same language, or the nearest more general one ("pt" of "pt-BR").

    Codes of the same language match: "tl" and "fil", "no" and "nb", "zh" and "cmn". None if nothing matches.
    """
    known = tuple(known)
    if len(text) > LONGEST:
        return None
    parts = tag(text).split("-")
    if parts[0] in known and len(parts) == 1:
        return parts[0]
    from langcodes import closest_supported_match, standardize_tag

    try:
        spellings = (parts[0], standardize_tag(parts[0], macro=True).lower())
        for end in range(len(parts), 0, -1):
            for language in spellings:
                if (wanted := "-".join((language, *parts[1:end]))) in known:
                    return wanted
        return closest_supported_match(parts[0], known, max_distance=SAME)
    except ValueError:
        return None


def heard(text: str, known: Iterable[str]) -> str | None:
    """`match`; where nothing is known of what a model hears, the language itself: the model says whether it does."""
    known = tuple(known)
    return match(text, known) if known else code(text) or tag(text)


def spoken(text: str) -> str:
    """The key of NAMES for a language that people speak to the server. Raises BadRequest, which lists all of them."""
    if (found := match(text, NAMES)) is None:
        meant = _meant(text, tuple(NAMES))
        hint = f" (did you mean {meant!r}, {name(meant)}?)" if meant else ""
        raise BadRequest(f"{text!r:.80} is no language that is recognised{hint}; write one of {', '.join(NAMES)}")
    return found


@lru_cache(1000)
def all_in(wanted: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Whether each language of `wanted` has its match in `known`."""
    return all(match(text, known) is not None for text in wanted)


def refusal(text: str, known: Iterable[str], who: str) -> Unsupported:
    """The error for a language that `who` does not have: it suggests a near match and lists `known`."""
    known = tuple(known)
    meant = _meant(text, known)
    hint = f" (did you mean {meant!r}, {name(meant)}?)" if meant else ""
    it_knows = listed(text, known, "GET /v1/models/NAME lists a model's languages")
    return Unsupported(f"language {text!r:.80} is not known to {who}{hint}; it knows {it_knows}")


def _meant(text: str, known: tuple[str, ...]) -> str | None:
    """The language of the country `text`, or one with a similar name. None if `text` is a language."""
    if match(text, NAMES):
        return None
    from difflib import get_close_matches

    from langcodes.data_dicts import LIKELY_SUBTAGS

    country = tag(text).partition("-")[0]
    spoken = "en" if country in ENGLISH else LIKELY_SUBTAGS.get(f"und-{country.upper()}")
    if spoken is not None:
        return match(spoken, known)
    return next((match(TAGS[like], known) for like in get_close_matches(text.lower()[:80], TAGS, 1)), None)
