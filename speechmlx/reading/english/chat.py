"""What people type to each other: short forms, emoticons."""

from __future__ import annotations

import re

from speechmlx.reading.english.grammar import Rule, TokenContext, letters, rule

_ROWS = """
btw = by the way
idk = i don't know
idc = i don't care
imo = in my opinion
imho = in my humble opinion
tbh = to be honest
ngl = not gonna lie
brb = be right back
ttyl = talk to you later
thx tnx thnx = thanks
pls plz = please
np = no problem
nvm = never mind
jk j/k = just kidding
smh = shaking my head
afaik = as far as i know
afaict = as far as i can tell
iirc = if i remember correctly
irl = in real life
ikr = i know right
gtg g2g = got to go
hbu = how about you
wbu = what about you
wyd = what are you doing
tmrw tmr tmw 2morrow = tomorrow
2nite tonite = tonight
2day = today
gr8 = great
l8r = later
m8 = mate
b4 = before
w8 = wait
str8 = straight
h8 = hate
sk8 = skate
any1 = anyone
some1 = someone
every1 = everyone
icymi = in case you missed it
ya = ya
ppl = people
msg = message
msgs = messages
bday b-day = birthday
rn = right now
omw = on my way
2moro = tomorrow
im = i'm
dont = don't
cant = can't
wont = won't
didnt = didn't
thats = that's
ily = i love you
fwiw = for what it's worth
tl;dr tldr = too long didn't read
hmu = hit me up
istg = i swear to god
lmk = let me know
wdym = what do you mean
ty = thank you
tysm = thank you so much
yw = you're welcome
ur = your
u = you
r = are
thru = through
k = okay
ok = okay
b/w = between
bc = because
cuz coz = because
w/u = with you
govt = government
ofc = of course
obv obvs = obviously
prob probs = probably
sry = sorry
yr = year
yrs = years
abt = about
"""
FORMS = {
    form: words for forms, words in (row.split(" = ") for row in _ROWS.strip().splitlines()) for form in forms.split()
}
EXACT = {"YoY": "year over year", "QoQ": "quarter over quarter", "MoM": "month over month", "WoW": "week over week"}
WORDS = {"cos", "def", "ur", "r", "u", "k", "prob", "yr", "bc"}
SPELLED = frozenset("lol omg wtf fyi asap dm dms rofl lmao diy rip faq tba tbd eta bff vip gif pm url html css pdf "
    "usb tv dj rsvp "
                    "nsfw aka gps faqs".split())  # fmt: skip
FORM = "|".join(re.escape(form) for form in sorted(FORMS, key=len, reverse=True))
EMOTICON = (
    r"(?:(?<=\s)|(?<![^\s.!?]))(?:[:;][-'^o]?[)(\]\[DPpOo3|/\\*]{1,5}|[=8xX]-?[)D]{1,3}"
    r"|[(\[]-?[:;]|</?3|\^_\^|-_-|xD|XD"
    r"|>:\(|¯\\_\(ツ\)_/¯)(?=[\s.,!?)]|$)"
)


def _form(m: re.Match[str], place: TokenContext) -> str | None:
    text = m[0]
    if text in EXACT:
        return EXACT[text]
    if text != text.lower() and re.search(r"\d", text):
        return None  # a name: "M8"
    lower = text.lower()
    if lower not in FORMS:
        return None
    if (
        text != lower
        and not (text.isupper() and len(text) > 2 and lower not in WORDS)
        and lower not in ("ok", "btw", "idk")
    ):
        return None if text.capitalize() != text or lower in WORDS else FORMS[lower]
    if lower in ("u", "r", "k") and (
        re.search(r"[=+*/^-]\s?$|(?<!\w)\d+\s?$", place.before()) or re.match(r"\s?[=+*/^<>(]", place.after(m.end()))
    ):
        return None
    if lower in ("r", "u") and re.match(r"\.\s*\d|:", place.after(m.end())):
        return None
    if text[0].isupper() and re.match(r"\.\s[A-Z]", place.after(m.end())):
        return None
    if lower == "k" and place.before().strip():
        return None
    return FORMS[lower]


def _spelled(m: re.Match[str], place: TokenContext) -> str:
    stem = m[0].removesuffix("s") if len(m[0]) > 3 and m[0].endswith("s") else m[0]
    return letters(stem) + ("s" if stem != m[0] else "")


def _nothing(m: re.Match[str], place: TokenContext) -> str:
    return ""


RULES: list[Rule] = [
    rule("chat", "a0", rf"(?<![\w'’.@/-])(?:(?i:{FORM})|[YQMW]o[YQMW])(?![\w'’@/-]|\.\w)", _form),
    rule("chat", "a", rf"(?<![\w'’])(?:{'|'.join(sorted(SPELLED, key=len, reverse=True))})(?![\w'’-])", _spelled),
    rule("emoticon", ":;=8axX([<^->¯", EMOTICON, _nothing),
]
