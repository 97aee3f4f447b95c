"""Postal addresses: house numbers, directions, kinds of streets, states with postal codes, post boxes."""

from __future__ import annotations

import re

from speechmlx.reading.english.grammar import Rule, TokenContext, either, letters, rule
from speechmlx.reading.english.numbers import cardinal, digits, number, pairs

STREETS = {
    "St": "street", "Ave": "avenue", "Av": "avenue", "Blvd": "boulevard", "Rd": "road", "Ln": "lane", "Dr": "drive",
    "Ct": "court", "Pl": "place", "Sq": "square", "Hwy": "highway", "Pkwy": "parkway", "Ter": "terrace",
    "Terr": "terrace", "Cir": "circle", "Trl": "trail", "Expy": "expressway", "Fwy": "freeway", "Cres": "crescent",
    "Gdns": "gardens", "Aly": "alley", "Plz": "plaza", "Bvd": "boulevard", "Xing": "crossing",
}  # fmt: skip
FULL = (
    "Street Avenue Boulevard Road Lane Drive Court TokenContext Square Highway Parkway Terrace Circle Trail Way Row "
    "Broadway Crescent Close Alley Plaza Park Loop Walk"
)
KINDS = f"(?:{either(' '.join([*STREETS, FULL]))})"
DIRECTIONS = {
    "N": "north", "S": "south", "E": "east", "W": "west", "NE": "northeast", "NW": "northwest", "SE": "southeast",
    "SW": "southwest",
}  # fmt: skip
DIRECTION = r"(?:NE|NW|SE|SW|N\.E\.|N\.W\.|S\.E\.|S\.W\.|[NSEW]\b\.?)"
NAMED = r"(?:[A-Z][A-Za-z'’.-]{1,20}|\d{1,3}(?:st|nd|rd|th))"
STREET_AHEAD = rf"(?=\s(?:{DIRECTION}\s)?(?:{NAMED}\s){{1,3}}{KINDS}(?![a-z]))"
_STATES = (
    "AL=alabama AK=alaska AZ=arizona AR=arkansas CA=california CO=colorado CT=connecticut DE=delaware FL=florida "
    "GA=georgia HI=hawaii ID=idaho IL=illinois IN=indiana IA=iowa KS=kansas KY=kentucky LA=louisiana ME=maine "
    "MD=maryland MA=massachusetts MI=michigan MN=minnesota MS=mississippi MO=missouri MT=montana NE=nebraska "
    "NV=nevada NH=new_hampshire NJ=new_jersey NM=new_mexico NY=new_york NC=north_carolina ND=north_dakota OH=ohio "
    "OK=oklahoma OR=oregon PA=pennsylvania RI=rhode_island SC=south_carolina SD=south_dakota TN=tennessee TX=texas "
    "UT=utah VT=vermont VA=virginia WA=washington WV=west_virginia WI=wisconsin WY=wyoming"
)
STATES = dict(row.split("=") for row in _STATES.split())
STATE = "|".join([*STATES, "DC"])
STARTS = "The|It|This|That|He|She|We|They|And|But|In|On|At|For|If|When|Then|There|You|So|As|All|Each|What"
"""Words that begin a sentence, and no name of a street."""
ROAD = re.compile(r"(?:\b(?:I|US|SR|[A-Z]{2})-|\b(?:Hwy|Highway|Rte?|Route|Interstate|US)\.?\s)\d{1,3}\s$")
CITY = re.compile(r"(?<!\w)[A-Z][a-z.'’]{2,}(?:\s[A-Z][a-z.'’]+){0,2},?\s$")


def _state(code: str) -> str:
    return ".d .c" if code == "DC" else STATES[code].replace("_", " ")


def house(text: str) -> str:
    """ "123" → "one twenty three", "1234" → "twelve thirty four", "10" → "ten", "12345" → digit by digit."""
    return pairs(text) if len(text) in (3, 4) else number(text) if len(text) < 3 else digits(text)


def direction(written: str) -> str:
    return DIRECTIONS[written.replace(".", "")]


def _house(m: re.Match[str], place: TokenContext) -> str | None:
    """A number before a street, with its direction: "1234 W" of "1234 W 5th Ave"."""
    said = house(m["house"]) + (f" {letters(m['letter'])}" if m["letter"] else "")
    said += f" to {house(m['last'])}" if m["last"] else ""
    return said + (f" {direction(m['direction'])}" if m["direction"] else "")


def _direction(m: re.Match[str], place: TokenContext) -> str:
    return direction(m[0].strip())


def _compass(m: re.Match[str], place: TokenContext) -> str | None:
    """ "SSW", and any other where the wind blows."""
    if ROAD.search(place.before()):
        return DIRECTIONS[m[0]]
    apart = re.search(r"\d\s?(?:km|mi|miles?|kilomet(?:er|re)s?|m|ft)\.?\s$", place.before())
    if (
        len(m[0]) < 3
        and not apart
        and not re.search(r"\b(?:winds?|gusts?|breeze|heading|facing|moving)\b[^.?!]{0,30}$", place.before(), re.I)
    ):
        return None
    first = {"N": "north", "S": "south", "E": "east", "W": "west"}
    return f"{first[m[0][0]]} {DIRECTIONS[m[0][1:]]}" if len(m[0]) == 3 else DIRECTIONS[m[0]]


def _street(m: re.Match[str], place: TokenContext) -> str | None:
    """A short kind of street behind a name: "High St", "Elm Dr.", "5th Ave NW"."""
    before, after = place.before(), place.after(m.end())
    if m["kind"] == "Cir" and re.search(r"\d(?:st|nd|rd|th) $", before):
        return None  # a court: "9th Cir."
    if m["kind"] not in ("Blvd", "Pkwy", "Expy", "Fwy", "Hwy") and not _names_street(before, after, m["kind"]):
        return None
    said = STREETS[m["kind"]]
    if m["direction"]:
        said += f" {direction(m['direction'])}"
    ends = m[0].endswith(".") and (not after.strip() or (re.match(r"\s+[A-Z\"“]", after) and not _unit(after)))
    return f"{said} ." if ends else said


def _unit(after: str) -> bool:
    return re.match(r"\s+(?:Apt|Apartment|Suite|Ste|Unit|Floor|N|S|E|W|NE|NW|SE|SW)\b", after) is not None


def _names_street(before: str, after: str, kind: str) -> bool:
    """Whether "St" or "Dr" stands behind the name of a street, and not before the name of a person."""
    named = re.search(r"(?:[A-Z][\w'’-]*|\d(?:st|nd|rd|th))\s$", before)
    if not named:
        return False
    if re.match(r"\.?\s[A-Z][a-z'’]", after) and kind in ("St", "Dr"):
        numbered = re.search(r"\d{1,5}[A-Z]?\s(?:[\w.'’-]+\s){1,3}$", before)
        return bool(numbered) or (re.match(r"\.\s", after) is not None and re.search(r"\b(?:on|at|to|along|off|from"
        r"|near|down|up)\s(?:\w+\s){1,2}$", before) is not None)  # fmt: skip
    return True


def _state_code(m: re.Match[str], place: TokenContext) -> str | None:
    """A state behind its city: ", TX 78701", "Austin, TX"."""
    if not CITY.search(place.before()):
        return None
    if not m["zip"] and not place.before().endswith(", "):
        return None
    return _state(m["state"]) + (f" {' , '.join(digits(part) for part in m['zip'].split('-'))}" if m["zip"] else "")


def _box(m: re.Match[str], place: TokenContext) -> str:
    return f".p .o box {digits(m[1]) if len(m[1]) > 2 else cardinal(int(m[1]))}"


def _in_care(m: re.Match[str], place: TokenContext) -> str:
    return "care of"


def _flat(m: re.Match[str], place: TokenContext) -> str:
    """ "4B", "12-A" behind "Apt.", "Suite": number and letter."""
    return f"{house(m[1])} {letters(m[2])}"


UNIT_BEFORE = "(?:{})".format(
    "|".join(
        f"(?<={word}{stop} )"
        for word in "Apt Apartment Suite Ste Unit Room Rm Flat Gate Seat Row Floor Terminal".split()
        for stop in ("", r"\.")
    )
)
RULES: list[Rule] = [
    rule(
        "address",
        "0",
        rf"(?<![\w$£€#.,/-])(?P<house>\d{{1,5}})(?P<letter>[A-Z](?![a-z])|)(?:[-–](?P<last>\d{{1,5}}))?"
        rf"(?:\s(?P<direction>{DIRECTION})(?=\s(?:{NAMED}\s){{1,3}}{KINDS}(?![a-z]))|{STREET_AHEAD})",
        _house,
    ),
    rule("address", "a", rf"(?<!\w){DIRECTION}(?=\s(?:{NAMED}\s){{1,2}}{KINDS}(?![a-z]))", _direction),
    rule(
        "address",
        "a",
        rf"(?<!\w)(?P<kind>{either(' '.join(STREETS))})(?![\w'’])\.?(?:,?\s(?P<direction>{DIRECTION})(?![\w'’]))?",
        _street,
    ),
    rule(
        "address", "a", rf"(?<!\w)(?P<state>{STATE})(?:\.?,?\s(?P<zip>\d{{5}}(?:-\d{{4}})?))?(?![\w'’&])", _state_code
    ),
    rule("address", "a", r"(?<!\w)(?:NNE|ENE|ESE|SSE|SSW|WSW|WNW|NNW|NE|NW|SE|SW|[NSEW])(?![\w.'’&])", _compass),
    rule("address", "a", rf"(?<=\d )(?:{DIRECTION})(?=\s(?!(?:{STARTS})\b)[A-Z][a-z]+)", _direction),
    rule("address", "a", r"(?<!\w)P\.?\s?O\.?\s[Bb]ox\s(\d{1,9})", _box),
    rule("address", "a", r"(?<!\w)(?:c/o|C/O)(?!\w)", _in_care),
    rule("address", "0", rf"{UNIT_BEFORE}(\d{{1,5}})-?([A-Z])(?!\w)", _flat),
]
