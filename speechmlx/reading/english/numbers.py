"""English number words: cardinals, ordinals, years, digits, decimals, pairs of digits."""

from __future__ import annotations

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = (
    "",
    *"thousand million billion trillion quadrillion quintillion sextillion septillion octillion nonillion".split(),
)
LARGEST = 10 ** (3 * len(SCALES)) - 1
LONGEST = 3 * len(SCALES)  # digits of LARGEST
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
ORDINALS |= {"twelve": "twelfth"}


def cardinal(n: int, british: bool = False) -> str:
    """123 → "one hundred twenty three", British "one hundred and twenty three"; above LARGEST, digit by digit."""
    if n < 0:
        return f"minus {cardinal(-n, british)}"
    if n > LARGEST:
        return digits(str(n))
    groups = []
    for i, scale in enumerate(SCALES):
        n, part = divmod(n, 1000)
        if part:
            link = "and " if british and not i and part < 100 and n else ""
            groups.append(f"{link}{_below_thousand(part, british)} {scale}".rstrip())
        if not n:
            break
    return " ".join(reversed(groups)) or "zero"


def _below_thousand(n: int, british: bool) -> str:
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + (f" {ONES[n % 10]}" if n % 10 else "")
    rest = _below_thousand(n % 100, british) if n % 100 else ""
    return f"{ONES[n // 100]} hundred" + (" and" if british and rest else "") + (f" {rest}" if rest else "")


def ordinal(n: int, british: bool = False) -> str:
    """23 → "twenty third"."""
    *first, last = cardinal(n, british).split()
    regular = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*first, ORDINALS.get(last, regular)])


def year(n: int, british: bool = False) -> str:
    """1998 → "nineteen ninety eight", 1905 → "nineteen oh five", 2005 → "two thousand five", 1066 → "ten sixty six"."""
    century, rest = divmod(n, 100)
    if not 10 <= century < 100 or (century % 10 == 0 and rest < 10):
        return cardinal(n, british)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def pairs(text: str) -> str:
    """Digits as the numbers of houses, rooms and models are said: "204" → "two oh four", "4090" → "forty ninety"."""
    if len(text) < 3 or text[0] == "0" or len(text) > 4:
        return cardinal(int(text)) if len(text) < 3 and text[0] != "0" else digits(text)
    head, tail = int(text[:-2]), int(text[-2:])
    if head % 10 == 0 and tail < 10:
        return cardinal(int(text))
    rest = "hundred" if not tail else f"oh {ONES[tail]}" if tail < 10 else cardinal(tail)
    return f"{cardinal(head)} {rest}"


def digits(text: str) -> str:
    """ "007" → "zero zero seven"; other characters are left out."""
    return " ".join(ONES[int(c)] for c in text if c.isdecimal())


def number(text: str, british: bool = False) -> str:
    """ "1,234.50" → "one thousand two hundred thirty four point five zero"; a leading "-" becomes "minus".

    Groups of thousands may stand apart by commas, blanks or apostrophes. A whole number that begins with a zero, or is
    longer than LARGEST, is read digit by digit.
    """
    sign = "minus " if text[:1] in ("-", "−", "–") else "plus " if text[:1] == "+" else ""
    whole, _, fraction = text.lstrip("-−–+").partition(".")
    whole = "".join(c for c in whole if c.isdecimal())
    if len(whole) > 1 and (whole[0] == "0" or len(whole) > LONGEST):
        integer = digits(whole)
    else:
        integer = cardinal(int(whole), british) if whole else ""
    return sign + (f"{integer} point {digits(fraction)}".lstrip() if fraction else integer)


def plural(words: str) -> str:
    """ "twenty" → "twenties", "six" → "sixes"."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")
