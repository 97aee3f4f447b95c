"""Words with two pronunciations of which the meaning decides: a table of senses and the words that tell them.

A sense has cues: words before it, after it and near it. The sense with the highest score is said. Words that the
dictionary has by part of speech, and whose part of speech is enough, are not here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from speechmlx.reading.pronunciation import wordclasses as classes
from speechmlx.reading.pronunciation.tagging import Place, modifies, predicative
from speechmlx.reading.pronunciation.wordclasses import kind


@dataclass(frozen=True, slots=True)
class Sense:
    """A meaning of a word with a pronunciation. `verb` is the weight of the evidence for a verb; negative for nouns."""

    us: str
    gb: str = ""
    """Empty: the American one, changed by rule."""
    prior: float = 0.0
    verb: float = 0.0
    before: frozenset[str] = field(default=frozenset())
    after: frozenset[str] = field(default=frozenset())
    near: frozenset[str] = field(default=frozenset())
    when: Callable[[Place], bool] | None = None
    """One more cue, of weight 3."""
    only: Callable[[Place], bool] | None = None
    """The sense is impossible where this is false."""

    def score(self, at: Place, verbal: float) -> float:
        if self.only is not None and not self.only(at):
            return -100.0
        left = at.left(1)
        total = self.prior + self.verb * max(-3.0, min(3.0, verbal))
        total += 3.0 * (at.near(-1) in self.before or bool(left and left[0] in self.before))
        total += 3.0 * (at.near(1) in self.after)
        others = (w for i, w in enumerate(at.words) if i != at.at and w.removesuffix("'s") in self.near)
        total += 2.0 * min(2, sum(1 for _ in others))
        return total + 3.0 * (self.when is not None and self.when(at))


def _sense(
    us: str,
    gb: str = "",
    *,
    prior: float = 0.0,
    verb: float = 0.0,
    before: str = "",
    after: str = "",
    near: str = "",
    when: Callable[[Place], bool] | None = None,
    only: Callable[[Place], bool] | None = None,
) -> Sense:
    sets = (frozenset(words.split()) for words in (before, after, near))
    first, second, third = sets
    return Sense(us, gb, prior, verb, first, second, third, when, only)


def _capital(at: Place) -> bool:
    return at.capital or at.initial


def _attributive(at: Place) -> bool:
    """After a determiner and before a noun: "a learned man"."""
    left = at.left(1)
    return bool(left) and kind(left[0]) in "DP" and modifies(at)


def _infinitive(at: Place) -> bool:
    """After "to" or a modal verb, where no past form stands; weighs against the evidence for a verb."""
    left = at.left(1)
    return bool(left) and kind(left[0]) in "TM"


def _alone_after_determiner(at: Place) -> bool:
    left = at.left(1)
    return bool(left) and kind(left[0]) in "DPJ" and not modifies(at)


def _place_name(at: Place) -> bool:
    """A capital within a sentence after a preposition of place."""
    return at.capital and at.near(-1) in ("in", "to", "from", "near", "at", "of", "through", "via", "visit", "visited")


def _minute(at: Place) -> bool:
    """ "the details are minute"; not "one minute", "a minute ago"."""
    left = at.left(1)
    return predicative(at) and bool(left) and kind(left[0]) not in "DPQR" and not modifies(at)


def _numeral_after(at: Place) -> bool:
    return kind(at.near(1)) == classes.NUMBER


def _noun_does(at: Place) -> bool:
    left = at.near(-1)
    return left in ("the", "two", "three", "these", "those", "several") and kind(at.near(1)) not in "SDOP"


_PEOPLE = "man woman men women person people gentleman lady mother father parents wife husband relative relatives"
_FAMILY = "mother father wife husband son daughter sister brother child uncle aunt parent relative"


def _with_s(sound: str) -> str:
    return sound + ("s" if sound[-1] in "ptkfθ" else "ᵻz" if sound[-1] in "szʃʒʧʤ" else "z")


SENSES: dict[str, tuple[Sense, ...]] = {
    "lead": (
        _sense("lˈid", prior=1.0, verb=0.2, after="to singer role guitarist actor author time designer by with in"),
        _sense(
            "lˈɛd",
            before="contain contains containing much of than",
            after="pipe pipes paint poisoning bullet bullets shot acetate acid apron aprons crystal weight weights "
            "free contamination",
            near="metal metals pipe pipes paint pencil mercury zinc toxic copper tin roof solder battery batteries "
            "poisonous heavy melted molten arsenic dense soft ounces grams made blood water drinking exposure "
            "levels petrol gasoline glass plumbing crystal chemical element gold silver iron steel",
        ),
    ),
    "live": (
        _sense(
            "lˈɪv", verb=1.0, prior=0.5, before="let", after="in here there with alone together without forever near"
        ),
        _sense(
            "lˈIv",
            verb=-0.6,
            before="go going goes went gone broadcast streamed streaming perform performed performing performs "
            "recorded shown air airs aired airing play played plays playing sing sang sings stream streams "
            "seen heard watch show shows",
            after="music show shows audio video stream streaming broadcast broadcasts concert performance performances "
            "wire wires event events album version session transcription captions chat recording audience action "
            "animals animal bait ammunition coverage updates update television tv feed link demo from on band data",
            near="music concert television tv broadcast stream audience radio stage watch streamed show",
            when=predicative,
        ),
    ),
    "lives": (_sense("lˈIvz", verb=-1.0), _sense("lˈɪvz", verb=1.0)),
    "wind": (
        _sense(
            "wˈɪnd", verb=-1.0, prior=0.3, near="blew blows blowing rain storm strong weather sail cold turbine north"
        ),
        _sense(
            "wˈInd",
            verb=1.0,
            after="down up back around through along past its",
            near="clock watch string wool thread bobbin crank road",
        ),
    ),
    "wound": (
        _sense(
            "wˈund",
            prior=1.0,
            verb=-0.3,
            when=_infinitive,
            near="blood bleeding nurse doctor knife stab heal healed bandage bullet gunshot",
        ),
        _sense(
            "wˈWnd",
            verb=0.4,
            when=predicative,
            after="up down around through round back its their along",
            near="clock watch string rope yarn thread wire bandage road river path spring coil tightly",
        ),
    ),
    "tear": (
        _sense(
            "tˈɪɹ",
            verb=-1.0,
            prior=0.5,
            after="gas duct ducts drop drops",
            near="cheek eye eyes cry cried crying shed wept weeping sad face rolled sob joy",
        ),
        _sense(
            "tˈɛɹ",
            verb=1.0,
            after="down apart up off out in",
            near="jacket paper fabric muscle hole dress shirt ligament wear trousers jeans cloth curtain rip meniscus "
            "repair tendon sleeve pants coat sail rotator seam patch mend",
        ),
        _sense(
            "tˈɛɹ",
            prior=-1.0,
            verb=-1.0,
            before="and",
            after="in",
            near="jacket paper fabric muscle hole dress shirt ligament wear trousers jeans cloth curtain rip meniscus "
            "repair tendon sleeve pants coat sail rotator seam patch mend knee tent bag",
        ),
    ),
    "bow": (
        _sense(
            "bˈO",
            prior=0.6,
            verb=-0.5,
            after="tie ties string",
            near="arrow arrows hair ribbon tied violin cello archer archery hunting gift knot wrapped strings "
            "crossbow red pink silk shoot",
        ),
        _sense(
            "bˈW",
            verb=0.5,
            after="out down to",
            near="ship boat audience stage stern king queen vessel deck wave waves actors actor curtain head low "
            "captain emperor performer respect",
        ),
        _sense(
            "bˈW",
            prior=-0.6,
            verb=-0.5,
            near="took take takes taking ship boat audience stage stern vessel deck wave waves curtain captain polite "
            "low hull yacht sailor port",
        ),
    ),
    "bowed": (
        _sense("bˈWd", prior=1.0),
        _sense("bˈOd", after="strings string instrument instruments legs", near="violin cello viola"),
    ),
    "bass": (
        _sense(
            "bˈAs",
            prior=1.0,
            after="guitar guitarist line drum player clef note notes voice solo singer part",
            near="guitar play plays played playing band drum drums loud music singer voice tenor treble speaker "
            "speakers song deep sing sings orchestra double jazz",
        ),
        _sense(
            "bˈæs",
            before="sea largemouth striped smallmouth",
            after="fishing",
            near="fish fishing caught catch lake river grilled lemon water trout salmon boat hook perch pond cooked "
            "fried freshwater eat pounds",
        ),
    ),
    "minute": (
        _sense("mˈɪnət", prior=2.0),
        _sense(
            "mInˈut",
            after="amount amounts detail details quantity quantities particle particles difference differences crack "
            "cracks trace traces fraction chance scratch creatures changes change fragments proportion grains hole "
            "holes quantities organisms dose doses print writing attention variations",
            when=_minute,
        ),
    ),
    "resume": (
        _sense("ɹəzˈum", "ɹɪzjˈuːm", verb=1.0, prior=0.5),
        _sense(
            "ɹˈɛzəmˌA", "ɹˈɛzjʊmˌA", verb=-1.0, near="job interview hire experience employer send skills career apply"
        ),
    ),
    "row": (
        _sense("ɹˈO", prior=1.0, near="seats boat column table front houses"),
        _sense(
            "ɹˈW",
            verb=-0.2,
            before="terrible blazing furious fierce diplomatic political huge angry flaming heated bitter almighty",
            after="about over erupted broke",
            near="argument argued argue quarrel neighbours neighbors shouting parents money husband",
        ),
    ),
    "sow": (
        _sense("sˈO", verb=1.0, near="seeds seed spring field fields reap discord doubt"),
        _sense("sˈW", verb=-1.0, near="pig pigs piglets piglet boar farm"),
    ),
    "dove": (
        _sense("dˈʌv", prior=0.5, verb=-0.5, near="white peace bird pigeon wings cooed"),
        _sense("dˈOv", verb=0.5, after="into in under deep off headfirst down right straight for"),
    ),
    "does": (_sense("dˈʌz", "dˈʌz", prior=1.0), _sense("dˈOz", near="deer doe fawn buck bucks stag", when=_noun_does)),
    "number": (
        _sense("nˈʌmbəɹ", "nˈʌmbə", prior=1.0),
        _sense("nˈʌməɹ", "nˈʌmə", after="than and", near="fingers toes lips numb cold feel felt grew tongue foot hand"),
    ),
    "moped": (_sense("mˈOpˌɛd", prior=0.5, verb=-0.7), _sense("mˈOpt", verb=0.7, after="around about all")),
    "sewer": (
        _sense("sˈuəɹ", "sˈuːə", prior=1.0),
        _sense(
            "sˈOəɹ", "sˈQə", near="sewing needle thread dress dresses clothes quilt fabric seamstress stitches skilled"
        ),
    ),
    "buffet": (
        _sense("bʊfˈA", "bˈʊfA", verb=-1.0, near="food breakfast lunch dinner restaurant hotel eat"),
        _sense("bˈʌfət", "bˈʌfɪt", verb=1.0, near="wind winds storm waves coast"),
    ),
    "bases": (
        _sense("bˈAsᵻz", prior=1.0, near="military baseball loaded army acids chemical"),
        _sense("bˈAsˌiz", near="theory theories argument arguments legal scientific philosophical moral basis ethical"),
    ),
    "axes": (
        _sense("ˈæksˌiz", prior=1.0, near="graph chart x y plot vertical horizontal coordinate rotation"),
        _sense(
            "ˈæksᵻz",
            verb=0.2,
            near="wood chop chopped firemen firefighters hammer hammers swords trees tools knives sharp sharpened "
            "viking vikings battle swung swing swinging saws lumberjacks woodcutters throwing stone carried",
        ),
    ),
    "polish": (
        _sense("pˈɑlɪʃ", prior=0.5, verb=0.3, near="shoes nail furniture silver shine wax table"),
        _sense("pˈOlɪʃ", prior=0.9, verb=-0.3, near="poland warsaw language", only=_capital),
    ),
    "job": (
        _sense("ʤˈɑb", prior=1.0),
        _sense(
            "ʤˈOb", near="bible suffering god patience testament", when=lambda at: at.capital and at.near(-1) == "of"
        ),
    ),
    "nice": (_sense("nˈIs", prior=2.5), _sense("nˈis", near="france riviera cannes french", when=_place_name)),
    "mobile": (
        _sense("mˈObᵊl", "mˈQbIl", prior=2.5),
        _sense("mObˈil", near="alabama", when=_place_name),
    ),
    "reading": (
        _sense("ɹˈidɪŋ", prior=2.5),
        _sense("ɹˈɛdɪŋ", near="berkshire pennsylvania oxford train station festival town", when=_place_name),
    ),
    "slough": (
        _sense("slˈu", "slˈW", prior=1.0),
        _sense("slˈʌf", verb=0.7, after="off"),
        _sense("slˈW", prior=-1.0, near="london england trading", when=_place_name),
    ),
    "putting": (
        _sense("pˈʊɾɪŋ", "pˈʊtɪŋ", prior=1.0),
        _sense("pˈʌɾɪŋ", "pˈʌtɪŋ", after="green greens", near="golf golfer hole putter putt birdie"),
    ),
    "primer": (
        _sense("pɹˈɪməɹ", "pɹˈImə", prior=0.5, near="book reading grammar introduction guide short economics latin on"),
        _sense("pɹˈIməɹ", "pɹˈImə", near="paint coat coats wall walls wood apply applied undercoat surface dna makeup"),
    ),
    "proceeds": (
        _sense("pɹəsˈidz", "pɹəsˈiːdz", verb=1.0, after="to with"),
        _sense("pɹˈOsˌidz", "pɹˈQsiːdz", verb=-1.0, after="from go went will of were", near="charity sale sales"),
    ),
    "protest": (_sense("pɹˈOtˌɛst", verb=-1.0, prior=0.3), _sense("pɹətˈɛst", verb=1.0)),
    "sake": (
        _sense("sˈAk", prior=1.0, before="the 's my your their his her our god's heaven's goodness", after="of"),
        _sense("sˈɑki", near="drink drank sushi japanese rice warm bottle cup bar wine beer"),
    ),
    "learned": (
        _sense("lˈɜɹnd", prior=1.0, after="helplessness behavior behaviour response"),
        _sense(
            "lˈɜɹnɪd",
            after=f"{_PEOPLE} scholar scholars professor friend colleague judge society journal",
            when=_attributive,
        ),
    ),
    "blessed": (
        _sense("blˈɛst", prior=1.5, verb=0.3, after="with by to"),
        _sense("blˈɛsɪd", after="virgin relief event silence sacrament mother trinity", when=_attributive),
    ),
    "aged": (
        _sense(
            "ˈAʤd", prior=1.0, after="cheese beef wine whisky whiskey rum cheddar well between", when=_numeral_after
        ),
        _sense("ˈAʤɪd", after=_PEOPLE + " population", when=_attributive, near="elderly frail infirm"),
    ),
    "invalid": (
        _sense("ɪnvˈælɪd", prior=1.5),
        _sense(
            "ˈɪnvəlɪd",
            "ˈɪnvəlɪd",
            after=_FAMILY + " who",
            near="wheelchair nurse bedridden illness",
            when=_alone_after_determiner,
        ),
    ),
    "upset": (
        _sense("ˌʌpsˈɛt", prior=1.0),
        _sense("ˈʌpsˌɛt", after="win victory bid loss defeat", when=_alone_after_determiner),
    ),
    "deserts": (
        _sense("dˈɛzəɹts", verb=-1.0),
        _sense("dəzˈɜɹts", "dɪzˈɜːts", verb=1.0, before="just"),
    ),
}

_PLURALS = ("wind", "wound", "tear", "bow", "resume", "row", "sow", "dove", "protest", "polish", "minute")
SENSES |= {
    word + ("es" if word.endswith("sh") else "s"): tuple(
        replace(s, us=_with_s(s.us), gb=_with_s(s.gb) if s.gb else "") for s in SENSES[word]
    )
    for word in _PLURALS
}
