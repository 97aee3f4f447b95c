"""Letters and words of other languages in English text: accents, Greek letters, and names with foreign spelling."""

from __future__ import annotations

import unicodedata

ACCENTED = {
    "résumé": "ɹˈɛzəmˌA",
    "exposé": "ˌɛkspOzˈA",
    "pâté": "pɑtˈA",
    "rosé": "ɹOzˈA",
    "maté": "mˈɑtˌA",
    "lamé": "lɑmˈA",
    "touché": "tuʃˈA",
    "saké": "sˈɑki",
    "soufflé": "suflˈA",
    "purée": "pjʊɹˈA",
    "frappé": "fɹæpˈA",
    "flambé": "flɑmbˈA",
    "sauté": "sɔtˈA",
    "née": "nˈA",
    "né": "nˈA",
    "à": "ɑ",
    "olé": "OlˈA",
    "más": "mˈɑs",
    "señor": "sAnjˈɔɹ",
    "señora": "sAnjˈɔɹə",
    "señorita": "sˌAnjəɹˈitə",
    "piñata": "pinjˈɑtə",
    "jalapeño": "hˌɑləpˈAnjO",
    "habanero": "hˌɑbənˈɛɹO",
    "piña": "pˈinjə",
    "el niño": "ɛl nˈinjO",
    "niño": "nˈinjO",
    "crème": "kɹˈɛm",
    "brûlée": "bɹulˈA",
    "brulee": "bɹulˈA",
    "château": "ʃætˈO",
    "über": "ˈubəɹ",
    "smörgåsbord": "smˈɔɹɡəsbˌɔɹd",
    "são": "sˈW",
    "josé": "hOzˈA",
    "jose": "hOzˈA",
    "andré": "ˈɑndɹA",
    "rené": "ɹənˈA",
    "renée": "ɹənˈA",
    "chloé": "klˈOi",
    "chloë": "klˈOi",
    "zoë": "zˈOi",
    "zoé": "zˈOi",
    "zoe": "zˈOi",
    "beyoncé": "biˈɑnsA",
    "beyonce": "biˈɑnsA",
    "pelé": "pˈɛlA",
    "noël": "nOˈɛl",
    "françois": "fɹɑnswˈɑ",
    "françoise": "fɹɑnswˈɑz",
    "jesús": "hAsˈus",
    "maría": "məɹˈiə",
    "nuñez": "nˈunjɛz",
    "núñez": "nˈunjɛz",
    "peña": "pˈAnjə",
    "björn": "bjˈɔɹn",
    "bjørn": "bjˈɔɹn",
    "bjorn": "bjˈɔɹn",
    "søren": "sˈɔɹən",
    "soren": "sˈɔɹən",
    "jürgen": "jˈɜɹɡən",
    "göteborg": "jˈɜɹtəbˌɔɹɡ",
    "malmö": "mˈælmˌO",
    "köln": "kˈɜɹln",
    "münchen": "mˈunʃən",
    "zürich": "zˈʊɹɪk",
    "düsseldorf": "dˈusəldˌɔɹf",
    "łódź": "wˈuʤ",
    "lodz": "wˈuʤ",
    "kraków": "kɹˈɑkˌuf",
    "wrocław": "vɹˈɔtswɑf",
    "gdańsk": "ɡdˈænsk",
    "nguyen": "wˈɪn",
    "siobhan": "ʃəvˈɔn",
    "siobhán": "ʃəvˈɔn",
    "saoirse": "sˈɜɹʃə",
    "niamh": "nˈiv",
    "sean": "ʃˈɔn",
    "seán": "ʃˈɔn",
    "joaquin": "wɑkˈin",
    "joaquín": "wɑkˈin",
    "jorge": "hˈɔɹhA",
    "juan": "wˈɑn",
    "xavier": "zˈAvjəɹ",
    "javier": "hɑvjˈɛɹ",
    "guillermo": "ɡɪjˈɛɹmO",
    "zhang": "ʤˈɑŋ",
    "wang": "wˈɑŋ",
    "wojciech": "vˈYʧɛx",
    "giovanni": "ʤˌiOvˈɑni",
    "giuseppe": "ʤusˈɛpi",
    "luigi": "luˈiʤi",
    "straße": "ʃtɹˈɑsə",
    "strasse": "ʃtɹˈɑsə",
    "pho": "fˈʌ",
    "phở": "fˈʌ",
    "açaí": "ˌɑsɑˈi",
    "gruyère": "ɡɹujˈɛɹ",
    "ceviche": "səvˈiʧA",
}
"""Words that their spelling, or the spelling without accents, does not tell. American; the British follow by rule."""

# How a letter is written with the plain letters that sound like it. Others lose their accent.
_SOUNDS = {
    "ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ð": "th", "ø": "o", "ł": "l", "đ": "d", "ı": "i", "ħ": "h", "ŋ": "ng",
    "ĸ": "k", "ŧ": "t", "ə": "a", "ɛ": "e", "ɔ": "o", "ﬁ": "fi", "ﬂ": "fl",
}  # fmt: skip
_RESPELLED = _SOUNDS | {
    "ł": "w", "ñ": "ny", "ç": "s", "š": "sh", "ş": "sh", "ș": "sh", "č": "ch", "ć": "ch", "ž": "zh", "ź": "zh",
    "ż": "zh", "ś": "sh", "ř": "rzh", "ğ": "", "ț": "ts", "ţ": "ts", "å": "o", "ń": "ny", "ť": "ty", "ď": "dy",
}  # fmt: skip

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma tau upsilon "
    "phi chi psi omega"
).split()
GREEK = {chr(0x3B1 + i): name for i, name in enumerate(_GREEK)} | {
    "µ": "micro",
    "ϵ": "epsilon",
    "ϕ": "phi",
    "ϑ": "theta",
}


def plain(word: str) -> str:
    """ "Bjørn" → Bjorn, "Straße" → Strasse: the letters that a dictionary has. Other scripts stay."""
    return _mapped(word, _SOUNDS)


def respelled(word: str) -> str:
    """ "Peña" → Penya, "Šimon" → Shimon: the letters that sound like it in English."""
    for ending in ("ée", "é"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            word = word.removesuffix(ending) + "ay"
    return _mapped(word, _RESPELLED)


def _mapped(word: str, table: dict[str, str]) -> str:
    if word.isascii():
        return word
    found = []
    for letter in unicodedata.normalize("NFC", word):
        lower = letter.lower()
        other = table.get(lower)
        if other is None:
            other = "".join(c for c in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(c))
        found.append(other.capitalize() if letter != lower else other)
    return "".join(found)


def letter_name(letter: str) -> str | None:
    """The English name of a letter that is not Latin: "β" → beta, "Ж" → zhe. None if Unicode has no short name."""
    if letter.lower() in GREEK:
        return GREEK[letter.lower()]
    name = unicodedata.name(letter, "")
    _, found, short = name.rpartition("LETTER ")
    short = short.split(" WITH ")[0]
    return short.lower() if found and short.isalpha() else None
