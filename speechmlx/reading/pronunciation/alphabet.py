"""The letters of Kokoro's phonemes, and given phonemes (IPA or Kokoro's own) made of them."""

from __future__ import annotations

import unicodedata

from speechmlx.errors import BadRequest

KOKORO = frozenset(
    ';:,.!?—…"()“” \u0303ʣʥʦʨᵝꭧAIOQSTWYᵊabcdefhijklmnopqrstuvwxyzɑɐɒæβɔɕçɖðʤəɚɛɜɟɡɥɨɪʝɯɰŋɳɲɴøɸθœɹɾɻʁɽʂʃʈʧʊʋʌɣɤχʎʒʔ'
    "ˈˌːʰʲ↓→↗↘ᵻ"
)
"""Every letter and mark that Kokoro's models know."""

LONGEST = 400  # phonemes given for one word

_TIES = str.maketrans(
    dict.fromkeys("\u0361\u035c.‿'’·|ˑ\u0329\u032f\u0306\u032a\u0325\u030a\u02de/[]", "")
    | {"'": "ˈ", "’": "ˈ", "ˑ": ""}
)
# Diphthongs and affricates are one letter each; what Kokoro has no letter for is said by the nearest.
_IPA = {
    "aɪ": "I", "aʊ": "W", "eɪ": "A", "oʊ": "O", "əʊ": "Q", "ɔɪ": "Y", "tʃ": "ʧ", "dʒ": "ʤ",
    "g": "ɡ", "ɝ": "ɜɹ", "ɚ": "əɹ", "ɫ": "l", "ɬ": "l", "ʍ": "w", "ɘ": "ə", "ɵ": "ə", "ʉ": "u", "ɞ": "ɜ", "ɶ": "œ",
    "ɦ": "h", "ħ": "h", "ʀ": "ʁ", "ʏ": "y", "ɱ": "m", "ʕ": "ʔ", "ʙ": "b", "ɢ": "ɡ", "ɺ": "ɾ", "ɭ": "l", "ʟ": "l",
    "ʐ": "ʒ", "ʑ": "ʒ", "ɓ": "b", "ɗ": "d", "ɠ": "ɡ", "ɧ": "ʃ", "ʘ": "", "ᵿ": "ʊ", "ᵐ": "m", "ⁿ": "n", "ʷ": "w",
}  # fmt: skip


def given(phonemes: str, british: bool = False) -> str:
    """`phonemes` of a lexicon or of SSML in Kokoro's letters. IPA is mapped where it can be.

    Raises BadRequest, which names the letters that have no counterpart, and for more than LONGEST letters.
    """
    if len(phonemes) > LONGEST:
        raise BadRequest(f"phonemes of {len(phonemes)} letters for one word; at most {LONGEST} are allowed")
    text = unicodedata.normalize("NFC", phonemes).translate(_TIES)
    kokoro = any(c in "AIOQWYʧʤ" for c in text)
    if not kokoro:
        for old, new in _IPA.items():
            text = text.replace(old, new)
        text = text.replace("r", "ɹ") if "ɹ" not in text else text
        text = text if british else text.replace("ː", "")
    text = text.replace("g", "ɡ")
    unknown = sorted({c for c in text if c not in KOKORO})
    if unknown:
        names = ", ".join(f"{c} (U+{ord(c):04X})" for c in unknown[:5])
        raise BadRequest(
            f"phonemes {phonemes[:40]!r} have letters that the voice cannot say: {names}. Use IPA or Kokoro's letters"
        )
    return " ".join(text.split())
