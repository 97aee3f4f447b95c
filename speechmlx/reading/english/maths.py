"""Mathematics: operators between operands, powers, roots, equations, scientific notation."""

from __future__ import annotations

import re

from speechmlx.reading.english.amounts import NUMBER, amount
from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule
from speechmlx.reading.english.marks import GREEK, SMALL
from speechmlx.reading.english.numbers import number

UP = "⁰¹²³⁴⁵⁶⁷⁸⁹"
RAISED = rf"[⁺⁻]?[{UP}]{{1,6}}|ⁿ|ˣ"
GREEKS = "α-ωΑ-Ω"
VARIABLE = rf"(?<![\w'’])[A-Za-z{GREEKS}](?![\w'’])"
OPERAND_BEFORE = re.compile(rf"(?:[\d)\]}}{UP}⁺⁻!%½¼¾°]|(?<![\w'’°])[A-Za-z{GREEKS}]|(?<![^\W\d_])\d[a-z]|π|∞)\s?$")
OPERAND_AFTER = re.compile(rf"\s?(?:[-−+±√∛]?\s?(?:\d|[(\[√∛π∞|]|[A-Za-z{GREEKS}](?![^\W\d_'’])|\.\d)|\$)")
DIVIDED = re.compile(r"[=+*×(−-]\s?[a-z]$")
EQUALS = re.compile(r"[=<>≤≥≈≠+×÷*^√]")
SIGNS = {
    "=": "equals", "==": "equals", "+": "plus", "-": "minus", "−": "minus", "–": "minus", "*": "times",
    "**": "to the power of", "×": "times",
    "·": "times", "⋅": "times", "∗": "times", "÷": "divided by", "/": "divided by", "±": "plus or minus",
    "!=": "is not equal to", "≠": "is not equal to", "<=": "is less than or equal to",
    ">=": "is greater than or equal to", "≤": "is less than or equal to", "≥": "is greater than or equal to",
    "<": "is less than", ">": "is greater than", "≈": "is approximately", "~=": "is approximately",
    "≡": "is equivalent to", "→": "to", "%": "mod", "x": "times", "∝": "is proportional to", "∈": "is in",
}  # fmt: skip
WORDS = frozenset("is in or if to of my no an as at be by do go he it me on so up us we ok ln hi".split())
NAMES = {
    "sin": "sine",
    "cos": "cosine",
    "tan": "tangent",
    "log": "log",
    "ln": "natural log",
    "sqrt": "the square root of",
}


def power(text: str) -> str:
    """What is said for an exponent: "2" → "squared", "-9" → "to the power of minus nine"."""
    plain = text.translate(SMALL).replace("⁻", "-").replace("⁺", "").replace("ⁿ", "n").replace("ˣ", "x").strip("(){}")
    if plain in ("2", "3"):
        return "squared" if plain == "2" else "cubed"
    if re.fullmatch(r"[-−+]?\d{1,9}(?:\.\d{1,9})?", plain):
        return f"to the power of {number(plain)}"
    if re.fullmatch(r"\d{1,4}/\d{1,4}", plain):
        return f"to the power of {amount(plain).words}"
    return "to the power of " + " ".join(
        f".{c}" if c.isascii() and c.isalpha() else GREEK.get(c.lower(), number(c) if c.isdecimal() else _named(c))
        for c in plain
        if c.isalnum() or c in "+-−*/"
    )


def _named(c: str) -> str:
    return SIGNS.get(c, "")


def variable(c: str) -> str:
    return GREEK.get(c.lower(), f".{c.lower()}")


def _operator(m: re.Match[str], place: TokenContext) -> str | None:
    """An operator that stands between operands."""
    sign = m[0].strip()
    operand = OPERAND_BEFORE.search(place.before()) is not None
    if not OPERAND_AFTER.match(place.text, m.end()) or not operand:
        return None
    if sign in "-−–" and not _is_minus(m, place):
        return None
    if sign == "/" and re.search(r"\d\s?[°µ]?[A-Za-z%]{1,3}\s?$", place.before()):
        return None
    if sign == "/" and place.text[place.at - 1] != " ":
        if EQUALS.search(place.after(m.end())[:12]):
            return "over"
        divided = place.text[place.at - 1] == ")" or place.text[place.at - 1] in GREEK or DIVIDED.search(place.before())
        return "over" if divided and place.text[m.end()].isalnum() else None
    return SIGNS[sign]


def _is_minus(m: re.Match[str], place: TokenContext) -> bool:
    """A dash between operands: with blanks around, or glued where the line has other signs of arithmetic."""
    before, after = place.before(), place.after(m.end())
    spaced = before[-1:] == " " and after[:1] == " "
    if m[0] == "−" and (spaced or before[-1:] != " "):
        return True
    if not spaced and before[-1:] == " ":
        return False
    near = EQUALS.search(before[-30:]) or EQUALS.search(after[:30])
    if spaced:
        return m[0] != "–" and bool(near or (re.search(r"\d\s$", before) and re.match(r"\s\d", after)))
    return bool(near) and not re.search(r"[^\W\d_]{2}$", before)


def _relation(m: re.Match[str], place: TokenContext) -> str | None:
    """A relation or "±" with an operand behind it only: "< 5" → "less than five"."""
    if not OPERAND_AFTER.match(place.text, m.end()):
        return None
    said = SIGNS[m[0]].removeprefix("is ")
    is_word = re.search(r"[^\W\d_]{2,}\s?$", place.before())
    return (
        f"is {said}" if is_word and m[0] in "≠≈≤≥" and place.word_before() not in ("is", "be", "are", "was") else said
    )


def _unary(m: re.Match[str], place: TokenContext) -> str | None:
    """The minus of "x = -b", "(-x)"."""
    return "minus" if re.search(r"[=+*/×÷(<>≤≥^,√]\s?$", place.before()) else None


def _equals(m: re.Match[str], place: TokenContext) -> str | None:
    return "equals" if place.before().strip() else None


def _number_power(m: re.Match[str], place: TokenContext) -> str:
    if m["base"] == "10" and re.search(r"[×x*·]\s?$", place.before()):
        exponent = m["power"].translate(SMALL).replace("⁻", "-").replace("⁺", "").strip("(){}")
        if exponent in ("2", "3"):
            return f"ten to the power of {number(exponent)}"
    return f"{number(m['base'], place.british)} {power(m['power'])}"


def _variable_power(m: re.Match[str], place: TokenContext) -> str:
    factor = f"{number(m['factor'])} " if m["factor"] else ""
    return f"{factor}{variable(m['base'])} {power(m['power'])}"


def _power_alone(m: re.Match[str], place: TokenContext) -> str:
    if place.text[place.at - 1 : place.at].strip() == "" and place.text[m.end() : m.end() + 1].isalpha():
        return number(m["power"].translate(SMALL))  # the 14 of "¹⁴C"
    return power(m["power"])


def _variable(m: re.Match[str], place: TokenContext) -> str | None:
    """One letter beside an operator: the a of "a + b", the x of "x = 5"."""
    before, after = place.before(), place.after(m.end())
    if re.match(rf"\s?(?:[=+×÷*^≠≤≥<>≈−±/]|-(?:\s|\d))\s?(?:[-−√]?\s?[\w({GREEKS}√π∞]|$)", after) or re.search(
        r"(?:[=+×÷*^≠≤≥<>≈−±√(]|\d\s-|\s-)\s?$", before
    ):
        if m[0] in "aAI" and not EQUALS.search(before[-20:] + after[:20]):
            return None
        if re.search(r"[^\W_]{2}\s?[-/]$", before) or re.match(r"\s?[-/]\s?[^\W\d_]{2}", after):
            return None
        return variable(m[0])
    return None


def _factor(m: re.Match[str], place: TokenContext) -> str | None:
    """ "2x" beside an operator."""
    before, after = place.before(), place.after(m.end())
    if m[2] in ("st", "nd", "rd", "th") or re.match(r"-[^\W\d_]{2}", after):
        return None
    if re.match(r"\s?[=+−×÷*^<>≤≥)/-]", after) or re.search(r"[=+−×÷*(<>≤≥-]\s?$", before):
        return f"{number(m[1])} {' '.join(variable(c) for c in m[2])}"
    return None


def _scientific(m: re.Match[str], place: TokenContext) -> str:
    sign = "minus " if m["sign"] else ""
    return f"{sign}{number(m['base'])} times ten to the power of {number(m['power'].replace('−', '-').lstrip('+'))}"


def _product_power(m: re.Match[str], place: TokenContext) -> str:
    """ "mc²" of an equation → "m c squared"."""
    return f"{' '.join(variable(c) for c in m['factors'])} {power(m['power'])}"


def _letters_multiplied(m: re.Match[str], place: TokenContext) -> str | None:
    """ "ma" of "F = ma", "mx" of "y = mx + b"."""
    if m[0] in WORDS:
        return None
    alone = re.search(rf"(?<![\w'’])[A-Za-z{GREEKS}]\s?[=+−*/]\s?$|=\s?$", place.before())
    return " ".join(variable(c) for c in m[0]) if alone else None


def _sub(m: re.Match[str], place: TokenContext) -> str:
    """ "a_1" → "a sub one"."""
    below = re.sub(r"[_{}]", "", m[2])
    return f"{variable(m[1])} sub {number(below) if below.isdecimal() else variable(below)}"


def _below(m: re.Match[str], place: TokenContext) -> str:
    """A subscript: the 1 of "x₁"."""
    return number(m[0].translate(SMALL))


def _root(m: re.Match[str], place: TokenContext) -> str:
    name = {"√": "the square root of", "∛": "the cube root of", "∜": "the fourth root of"}[m[0]]
    return name.removeprefix("the ") if place.word_before().lower() == "the" else name


def _function(m: re.Match[str], place: TokenContext) -> str:
    """ "f(x)" → "f of x"."""
    if m[3].isdecimal():
        return f"{letters(m[1])}{' prime' * len(m[2])} of {number(m[3])}"
    of = " , ".join(variable(c) for c in re.findall(rf"[A-Za-z{GREEKS}]", m[3]))
    prime = " prime" * len(m[2])
    return f"{letters(m[1])}{prime} of {of}"


def _named_function(m: re.Match[str], place: TokenContext) -> str:
    return NAMES[m[1]] + ("" if m[1] == "sqrt" else " of" if m[2] else "")


def _derivative(m: re.Match[str], place: TokenContext) -> str:
    """ "dy/dx" → "d y d x"."""
    return letters(m[0])


def _factorial(m: re.Match[str], place: TokenContext) -> str:
    return f"{number(m[1])} factorial"


EXPONENT = rf"(?P<power>{RAISED})"
CARET = r"\^(?P<power>[-−]?\d{1,9}(?:\.\d{1,6})?|[A-Za-zα-ω](?![^\W_])|[({][^(){}\s]{1,12}[)}])"
OPERATORS = r"\*\*|==|!=|<=|>=|~=|[=+\-−–*×·⋅∗÷/±≠≤≥<>≈≡∝∈]|x(?=\s)"
RULES: list[Rule] = [
    rule("maths", "=+-−–*×·⋅∗÷/±≠≤≥<>≈≡!~∝∈a", OPERATORS, _operator),
    rule("maths", "≠≤≥<>≈±", r"[≠≤≥<>≈±]", _relation),
    rule("maths", "-−", r"[-−](?=[\w(√π∞])", _unary),
    rule("maths", "=", r"==?(?=\s|[-−\w($√])", _equals),
    rule("maths", "0.", rf"(?P<base>{NUMBER})(?:{CARET})", _number_power),
    rule("maths", "0.", rf"(?P<base>{NUMBER})(?:{EXPONENT})", _number_power),
    rule("maths", "0a", rf"(?P<factor>\d{{1,6}}|)(?P<base>(?<![^\W\d_])[A-Za-z{GREEKS}])(?:{CARET})", _variable_power),
    rule(
        "maths", "0a", rf"(?P<factor>\d{{1,6}}|)(?P<base>(?<![^\W\d_])[A-Za-z{GREEKS}])(?:{EXPONENT})", _variable_power
    ),
    rule("maths", "a", rf"(?:(?<=[=+*/×(] )|(?<=[½¼0-9(]))(?P<factors>[A-Za-z]{{2,3}})(?:{CARET})", _product_power),
    rule("maths", "a", rf"(?:(?<=[=+*/×(] )|(?<=[½¼0-9(]))(?P<factors>[A-Za-z]{{2,3}})(?:{EXPONENT})", _product_power),
    rule("maths", "a", rf"(?<!\w)([A-Za-z{GREEKS}])(_(?:\d{{1,4}}|[a-z](?!\w)|\{{\w\}}))(?!\w)", _sub),
    rule("maths", "₀₁₂₃₄₅₆₇₈₉", r"[₀₁₂₃₄₅₆₇₈₉]{1,6}", _below),
    rule("maths", "^", CARET, _power_alone),
    rule("maths", UP + "⁺⁻a", EXPONENT, _power_alone),
    rule("maths", "a", r"(?<=[=+*/−] )[a-z]{2}(?![\w'’.])", _letters_multiplied),
    rule("maths", "a", VARIABLE, _variable),
    rule("maths", "0", rf"(\d{{1,6}})([a-z{GREEKS}]{{1,2}})(?![\w'’])", _factor),
    rule(
        "maths",
        "0-−.",
        rf"(?P<sign>(?<!\w)[-−])?(?P<base>{NUMBER})(?:[eE]|\s?[×x*·]\s?10(?:\^|\*\*|(?=[⁺⁻{UP}])))"
        rf"(?P<power>[-+−]?\d{{1,3}})(?![\w]|-\w)",
        _scientific,
    ),
    rule("maths", "a", r"(?<!\w)d[a-z]?/d[a-z](?!\w)", _derivative),
    rule("maths", "√∛∜", r"[√∛∜]", _root),
    rule(
        "maths",
        "a",
        rf"(?<!\w)([fghFGPpuvy])(['′]{{0,3}})\(([A-Za-z{GREEKS}](?:,\s?[A-Za-z{GREEKS}]){{0,3}}|\d{{1,6}})\)",
        _function,
    ),
    rule("maths", "a", r"(?<!\w)(sin|cos|tan|log|ln|sqrt)(\(|(?=[⁰-⁹²³¹\d])|\s(?=[xθαβφt]\b|\d))", _named_function),
    rule("maths", "0", r"(\d{1,3})!(?=\s?[=+×/*])", _factorial),
]
