"""Any other language: the number words of CLDR where it has them, else digits one by one."""

from __future__ import annotations

from speechmlx.reading.languages.language import Language
from speechmlx.reading.languages.numerals import Numeral

COMMAS = {
    "nl": "komma", "sv": "komma", "da": "komma", "nb": "komma", "no": "komma", "nn": "komma", "fi": "pilkku",
    "pl": "przecinek", "cs": "celá", "sk": "celá", "ru": "запятая", "uk": "кома", "be": "коска", "bg": "запетая",
    "tr": "virgül", "el": "κόμμα", "ro": "virgulă", "hu": "egész", "ca": "coma", "vi": "phẩy", "id": "koma",
    "hr": "zarez", "sr": "запета", "sl": "vejica", "lt": "kablelis", "et": "koma", "is": "komma", "az": "vergül",
}  # fmt: skip
POINTS = {"ko": "점", "he": "נקודה", "ar": "فاصلة", "fa": "ممیز", "th": "จุด", "ms": "perpuluhan", "sw": "nukta"}
POINTS |= {"yue": "點"}


class Other(Language):
    """A language of which CLDR knows number words."""

    def __init__(self, code: str) -> None:
        self.code = code  # type: ignore[misc]
        self.decimal = "," if code in COMMAS else "."  # type: ignore[misc]
        self.comma = self.point = COMMAS.get(code) or POINTS.get(code, "")  # type: ignore[misc]


class Silent(Language):
    """A language without number words: digits are said one by one, as the voice says them."""

    comma, point = ",", "."

    def cardinal(self, number: int, gender: str = "") -> str:
        return " ".join(str(number))

    def number(self, number: Numeral, gender: str = "") -> str:
        return f"{number.whole}{number.mark}{number.fraction}" if number.fraction else self.whole(number.whole)

    def whole(self, text: str, gender: str = "") -> str:
        return " ".join(text)
