"""English number words: cardinals, ordinals, years, digits and decimals."""

from __future__ import annotations

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
LARGEST = 10 ** (3 * len(SCALES)) - 1
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
ORDINALS |= {"twelve": "twelfth"}


def cardinal(n: int) -> str:
    """123 → "one hundred twenty three". Numbers above LARGEST are read digit by digit."""
    if n < 0:
        return f"minus {cardinal(-n)}"
    if n > LARGEST:
        return digits(str(n))
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + (f" {ONES[n % 10]}" if n % 10 else "")
    if n < 1000:
        return f"{ONES[n // 100]} hundred" + (f" {cardinal(n % 100)}" if n % 100 else "")
    groups = []
    for scale in SCALES:
        n, part = divmod(n, 1000)
        if part:
            groups.append(f"{cardinal(part)} {scale}".rstrip())
    return " ".join(reversed(groups))


def ordinal(n: int) -> str:
    """23 → "twenty third"."""
    *first, last = cardinal(n).split()
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*first, ORDINALS.get(last, regular)])


def year(n: int) -> str:
    """1998 → "nineteen ninety eight", 1905 → "nineteen oh five", 2005 → "two thousand five"."""
    century, rest = divmod(n, 100)
    if not 10 <= century < 100 or (century % 10 == 0 and rest < 10):
        return cardinal(n)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def digits(text: str) -> str:
    """ "007" → "zero zero seven"; other characters are left out."""
    return " ".join(ONES[int(c)] for c in text if c.isdecimal())


def number(text: str) -> str:
    """ "1,234.50" → "one thousand two hundred thirty four point five zero"; a leading "-" becomes "minus"."""
    sign = "minus " if text.startswith("-") else ""
    whole, _, fraction = text.lstrip("-+").replace(",", "").partition(".")
    if len(whole) > 1 and whole[0] == "0" and not fraction:
        return sign + digits(whole)
    integer = cardinal(int(whole)) if whole else ""
    return sign + (f"{integer} point {digits(fraction)}".lstrip() if fraction else integer)


def plural(words: str) -> str:
    """ "twenty" → "twenties", "six" → "sixes"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")
