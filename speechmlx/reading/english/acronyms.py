"""Lists for capitals: which acronyms are words, which words are acronyms, which are either by their neighbours."""

from __future__ import annotations

from dataclasses import dataclass


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


SAID = _set(
    "ajax aldi ansi asda asus bafta bart basf bogo bose captcha covid cuda dell dyson ebitda erasmus fiat ikea imax "
    "json jstor lego lidl linux maven mazda mensa mifid moma nasdaq nato nintendo nvidia nylon oled opec oscar pisa "
    "pixar puma qwerty radar roku saab scuba seat sonar sony soho swift tesco tesla toml ubuntu unesco unicef uniqlo "
    "unix vevo visa volvo xerox yahoo yaml zara"
)
"""Acronyms and brands that are said as words, beside those of the dictionary."""

SPELLED = _set(
    "aa aarp ac aclu adhd aka api atm bbc bbq bcc cc cd ceo cfo cps cto dc diy dvd epub esl eu faq ffmpeg fm gdpr "
    "gop gps gsm html http https icbm ieee iou iq ira irs iso jr lapd lpm mba mc md mfa mp mri naacp ncaa nea npc "
    "nra od pc pdf pm ppm pr psi qa rpm rsvp rv sms sql sr tba tbd tv ufo uk ui un url usa usb vba vip vp wwi wwii "
    "ymca ywca"
)
"""Spelled wherever they stand, though a dictionary or the shape may say a word."""

SHORT_WORDS = _set(
    "ah am an as at aw ax be by do eh ex go ha he hi hm if in is it me my no of oh ok on or ow so to uh um up us we ye "
    "yo ace act add age ago ahh aid aim air all amy and ann any ape app are arm art ask ate aww bad bag bar bat bay "
    "bed bee beg ben bet big bin bit boo bow box boy bro bug bum bun bus but buy bye cab can cap car cat cop cow cry "
    "cue cup cut dad dan day den dew did die dig dim din dip dog dot dry dub due dug duo dye ear eat egg ego elf end "
    "era err eve ewe eye fab fan far fat fed fee few fig fin fit fix flu fly fog for fox fry fun fur gag gap gas gay "
    "gel gem get gin god got gum gun gut guy gym had ham has hat hay hen her hey hid him hip his hit hmm hog hop hot "
    "how hub hug hum hut ian ice icy ill ink inn irk its ivy jab jam jar jaw jen jet jim job joe jog joy jug keg ken "
    "key kid kim kin kit lab lad lap law lay led lee leg leo let lie lid lip lit liz lob log lot low mad man map max "
    "may meg men met mic mix mmm mob mom moo mop mow mrs mud mug mum nah nan nap nay ned net new nil nod non nor not "
    "now nun nut oak odd off oil old one opt orb ore our out owe owl own pal pam pan pat paw pay pea pen per pet pie "
    "pig pin pit pod pop pot pro pub put rag ram ran rap rat raw ray red ref rep rib rid rig rim rip rob rod ron rot "
    "row roy rub rug rum run rye sad sag sam sat saw sax say sea see set sew sex she shh shy sin sip sir sit six "
    "ski sky sly sob son soy spy sub sue sum sun tag tan tap tar tax tea ted ten the tie tim tin tip toe tom ton too "
    "top tow toy try tub tug two ugh urn use van vat vet via vie vow wad wag war was wax way web wed wee wet who why "
    "wig win wit woe won woo wow yam yay yep yes yet you yup zap zen zip zoo"
)
"""Words of two and three letters. Other short words in capitals are acronyms."""

GRAMMAR = _set(
    "the an and of is are was were be been to at by for from with not you we he she they my your his our their this "
    "that do does did don't can't won't no so if but all how what why when where there here have has had will can go "
    "get let now"
)

LETTERED = _set(
    "vitamin plan section type class grade group team point exhibit hepatitis influenza appendix option side gate "
    "terminal hall room block unit zone series schedule category letter capital answer question part track line wing "
    "column key size form list apartment suite platform concourse lot dock bay ward sample variant model string note "
    "chord choice figure table version building annex level phase flat apt stage route row step item node factor "
    "league serie tier"
)
"""Nouns that a letter follows: "Plan A"."""

AFTER_LETTER = _set(
    "minor major flat sharp levels level of is was in on at for by with from but has had are deficiency"
)
"""Words that follow the letter A, and never the article."""

MANY = _set("straight mostly two three four five six seven eight nine ten double many")

STATES = _set(
    "al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd oh ok or pa "
    "ri sc sd tn tx ut vt va wa wv wi wy dc"
)


@dataclass(frozen=True, slots=True)
class Either:
    """When capitals that are a word and an acronym are which: by the word before, the word after, else as usual."""

    letters_after: frozenset[str]
    letters_before: frozenset[str]
    word_after: frozenset[str]
    word_before: frozenset[str]
    word_alone: bool
    """Usually a word among words that are not in capitals."""
    word_in_shout: bool
    """Usually a word among words in capitals."""


def _either(
    letters_after: str = "",
    letters_before: str = "",
    word_after: str = "",
    word_before: str = "",
    word_alone: bool = False,
    word_in_shout: bool = True,
) -> Either:
    return Either(
        _set(letters_after), _set(letters_before), _set(word_after), _set(word_before), word_alone, word_in_shout
    )


_THE = "the a an our your my their his her its this every each no any some new"
_VERBS = "is are was were will would can could does do did has have should must may might isn't wasn't won't"

EITHER: dict[str, Either] = {
    "us": _either(
        f"{_THE} in former",
        "army navy government president dollar dollars economy congress senate military citizen citizens troops",
        "let give gave tell told show showed help helped join both between among all call contact follow",
        "all both",
    ),
    "it": _either(
        f"{_THE} in-house corporate",
        "department support team manager managers security infrastructure staff services consultant professional "
        "professionals industry systems specialist admin helpdesk guy jobs job company sector project projects "
        "equipment director budget people skills",
        "is was that's do did does doing done get got had want need love hate like stop buy make if when believe "
        "because but not try said",
        "isn't wasn't won't",
    ),
    "who": _either(
        _THE,
        "says said declared director officials guidelines recommends",
        "know guess see wonder asked but",
        f"{_VERBS} else you we am the told made",
    ),
    "am": _either("", "radio band station", "i"),
    "or": _either("the an", word_alone=True),
    "er": _either(f"{_THE} in at", "doctor nurse room visit", "", ", …", word_in_shout=False),
    "pa": _either(_THE, "", "ma", "", word_in_shout=False),
    "ma": _either(_THE, "degree in", "", "and", word_in_shout=False),
    "ad": _either("in year", "", "an the this that"),
    "id": _either(word_in_shout=False),
    "os": _either(word_in_shout=False),
    "la": _either("", "", "la", "la", word_in_shout=False),
    "re": _either(word_in_shout=False),
    "est": _either(word_in_shout=False),
    "eta": _either(word_in_shout=False),
    "lax": _either(word_in_shout=False),
    "led": _either(
        f"{_THE} of with oled white red blue green", "light lights lamp lamps bulb bulbs screen display strip strips"
    ),
    "sat": _either(f"{_THE} took take", "score scores test exam"),
    "act": _either("sat", "score scores test exam", word_alone=True),
    "rip": _either("", "", "", "off it up the out"),
    "sec": _either(_THE, "", "a one"),
    "pow": _either(f"{_THE} as"),
    "doe": _either(_THE),
    "mod": _either(_THE),
    "hm": _either("", "the", word_alone=True),
    "mm": _either("", "", word_alone=True),
}
