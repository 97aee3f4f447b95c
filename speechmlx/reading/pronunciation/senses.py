"""Words with two pronunciations of which the meaning decides: a table of senses and the words that tell them.

A sense has cues: words before it, after it and near it. The sense with the highest score is said; the first is the
common one. Words that the dictionary has by part of speech, and whose part of speech is enough, are not here.
"""

from __future__ import annotations

from dataclasses import replace

from speechmlx.reading.pronunciation import sense as cues
from speechmlx.reading.pronunciation.sense import Sense, sense, stress, with_s
from speechmlx.reading.pronunciation.tagging import predicative

_PEOPLE = "man woman men women person people gentleman lady mother father parents wife husband relative relatives"
_FAMILY = "mother father wife husband son daughter sister brother child uncle aunt parent relative"

SENSES: dict[str, tuple[Sense, ...]] = {
    "lead": (
        sense("lˈid", prior=1.0, verb=0.2, after="to singer role guitarist actor author time designer by with in"),
        sense(
            "lˈɛd",
            before="contain contains containing much of than",
            after="pipe pipes paint poisoning bullet bullets shot acetate acid apron aprons crystal weight weights "
            "free contamination",
            when=cues.bare,
            near="metal metals pipe pipes paint pencil mercury zinc toxic copper tin roof solder battery batteries "
            "poisonous heavy melted molten arsenic dense soft ounces grams made blood water drinking exposure "
            "levels petrol gasoline glass plumbing crystal chemical element gold silver iron steel",
        ),
    ),
    "live": (
        sense(
            "lˈɪv",
            verb=1.0,
            prior=0.5,
            before="let long",
            after="in here there with alone together without forever near",
        ),
        sense(
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
    "lives": (sense("lˈIvz", verb=-1.0), sense("lˈɪvz", verb=1.0)),
    "wind": (
        sense(
            "wˈɪnd", verb=-1.0, prior=0.3, near="blew blows blowing rain storm strong weather sail cold turbine north"
        ),
        sense(
            "wˈInd",
            verb=1.0,
            after="down up back around through along past its",
            near="clock watch string wool thread bobbin crank road",
        ),
    ),
    "wound": (
        sense(
            "wˈund",
            prior=1.0,
            verb=-0.3,
            when=cues.infinitive,
            near="blood bleeding nurse doctor knife stab heal healed bandage bullet gunshot",
        ),
        sense(
            "wˈWnd",
            verb=0.4,
            when=predicative,
            after="up down around through round back its their along",
            near="clock watch string rope yarn thread wire bandage road river path spring coil tightly",
        ),
    ),
    "tear": (
        sense(
            "tˈɪɹ",
            verb=-1.0,
            prior=0.5,
            after="gas duct ducts drop drops",
            near="cheek eye eyes cry cried crying shed wept weeping sad face rolled sob joy",
        ),
        sense(
            "tˈɛɹ",
            verb=1.0,
            after="down apart up off out in",
            near="jacket paper fabric muscle hole dress shirt ligament wear trousers jeans cloth curtain rip meniscus "
            "repair tendon sleeve pants coat sail rotator seam patch mend",
        ),
        sense(
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
        sense(
            "bˈO",
            prior=0.6,
            verb=-0.5,
            after="tie ties string",
            near="arrow arrows hair ribbon tied violin cello archer archery hunting gift knot wrapped strings "
            "crossbow red pink silk shoot",
        ),
        sense(
            "bˈW",
            verb=0.5,
            after="out down to",
            near="ship boat audience stage stern king queen vessel deck wave waves actors actor curtain head low "
            "captain emperor performer respect",
        ),
        sense(
            "bˈW",
            prior=-0.6,
            verb=-0.5,
            near="took take takes taking ship boat audience stage stern vessel deck wave waves curtain captain polite "
            "low hull yacht sailor port",
        ),
    ),
    "bowed": (
        sense("bˈWd", prior=1.0),
        sense("bˈOd", after="strings string instrument instruments legs", near="violin cello viola"),
    ),
    "bass": (
        sense(
            "bˈAs",
            prior=1.0,
            after="guitar guitarist line drum player clef note notes voice solo singer part",
            near="guitar play plays played playing band drum drums loud music singer voice tenor treble speaker "
            "speakers song deep sing sings orchestra double jazz",
        ),
        sense(
            "bˈæs",
            before="sea largemouth striped smallmouth",
            after="fishing",
            near="fish fishing caught catch lake river grilled lemon water trout salmon boat hook perch pond cooked "
            "fried freshwater eat pounds",
        ),
    ),
    "minute": (
        sense("mˈɪnət", prior=2.0),
        sense(
            "mInˈut",
            after="amount amounts detail details quantity quantities particle particles difference differences crack "
            "cracks trace traces fraction chance scratch creatures changes change fragments proportion grains hole "
            "holes quantities organisms dose doses print writing attention variations",
            when=cues.minute,
        ),
    ),
    "resume": (
        sense("ɹəzˈum", "ɹɪzjˈuːm", verb=1.0, prior=0.5),
        sense(
            "ɹˈɛzəmˌA", "ɹˈɛzjʊmˌA", verb=-1.0, near="job interview hire experience employer send skills career apply"
        ),
    ),
    "row": (
        sense("ɹˈO", prior=1.0, near="seats boat column table front houses"),
        sense(
            "ɹˈW",
            verb=-0.2,
            before="terrible blazing furious fierce diplomatic political huge angry flaming heated bitter almighty",
            after="about over erupted broke",
            when=cues.quarrel,
            near="argument argued argue quarrel neighbours neighbors shouting parents money husband",
        ),
    ),
    "sow": (
        sense("sˈO", verb=1.0, near="seeds seed spring field fields reap discord doubt"),
        sense("sˈW", verb=-1.0, near="pig pigs piglets piglet boar farm"),
    ),
    "dove": (
        sense("dˈʌv", prior=0.5, verb=-0.5, near="white peace bird pigeon wings cooed"),
        sense("dˈOv", verb=0.5, after="into in under deep off headfirst down right straight for"),
    ),
    "does": (
        sense("dˈʌz", "dˈʌz", prior=1.0),
        sense("dˈOz", near="deer doe fawn buck bucks stag", when=cues.noun_does),
    ),
    "number": (
        sense("nˈʌmbəɹ", "nˈʌmbə", prior=1.0),
        sense(
            "nˈʌməɹ",
            "nˈʌmə",
            after="than and",
            near="mouth jaw injection gums fingers toes lips numb cold feel felt grew tongue foot hand",
        ),
    ),
    "moped": (sense("mˈOpˌɛd", prior=0.5, verb=-0.7), sense("mˈOpt", verb=0.7, after="around about all")),
    "sewer": (
        sense("sˈuəɹ", "sˈuːə", prior=1.0),
        sense(
            "sˈOəɹ", "sˈQə", near="sewing needle thread dress dresses clothes quilt fabric seamstress stitches skilled"
        ),
    ),
    "buffet": (
        sense("bʊfˈA", "bˈʊfA", verb=-1.0, near="food breakfast lunch dinner restaurant hotel eat"),
        sense("bˈʌfət", "bˈʌfɪt", verb=1.0, near="wind winds storm waves coast"),
    ),
    "bases": (
        sense("bˈAsᵻz", prior=1.0, near="military baseball loaded army acids chemical"),
        sense(
            "bˈAsˌiz",
            after="for",
            near="claim claims belief decision theory theories argument arguments legal scientific philosophical "
            "moral basis ethical",
        ),
    ),
    "axes": (
        sense("ˈæksˌiz", prior=1.0, near="graph chart x y plot vertical horizontal coordinate rotation"),
        sense(
            "ˈæksᵻz",
            prior=0.2,
            verb=0.2,
            near="wood chop chopped firemen firefighters hammer hammers swords trees tools knives sharp sharpened "
            "viking vikings battle swung swing swinging saws lumberjacks woodcutters throwing stone carried",
        ),
        sense("ˈæksᵻz", verb=1.0),
    ),
    "polish": (
        sense("pˈɑlɪʃ", prior=0.5, verb=0.3, near="shoes nail furniture silver shine wax table"),
        sense("pˈOlɪʃ", prior=0.9, verb=-0.3, near="poland warsaw language", only=cues.capital),
    ),
    "job": (
        sense("ʤˈɑb", prior=1.0),
        sense("ʤˈOb", only=cues.capital, before="of", near="bible suffering god patience testament"),
    ),
    "nice": (
        sense("nˈIs", prior=1.5),
        sense("nˈis", only=cues.capital, near="france riviera cannes french", when=cues.place_name),
    ),
    "mobile": (
        sense("mˈObᵊl", "mˈQbIl", prior=1.5),
        sense("mObˈil", only=cues.capital, near="alabama", when=cues.place_name),
    ),
    "reading": (
        sense("ɹˈidɪŋ", prior=1.5),
        sense("ɹˈɛdɪŋ", only=cues.capital, near="berkshire pennsylvania oxford station festival", when=cues.place_name),
    ),
    "slough": (
        sense("slˈu", "slˈW", prior=1.0),
        sense("slˈʌf", verb=0.7, after="off"),
        sense("slˈW", prior=-1.0, near="london england trading", when=cues.place_name),
    ),
    "putting": (
        sense("pˈʊɾɪŋ", "pˈʊtɪŋ", prior=1.0),
        sense(
            "pˈʌɾɪŋ",
            "pˈʌtɪŋ",
            before="his her their my our your",
            after="green greens",
            near="golf golfer hole putter putt birdie",
        ),
    ),
    "primer": (
        sense("pɹˈɪməɹ", "pɹˈImə", prior=0.5, near="book reading grammar introduction guide short economics latin on"),
        sense("pɹˈIməɹ", "pɹˈImə", near="paint coat coats wall walls wood apply applied undercoat surface dna makeup"),
    ),
    "proceeds": (
        sense("pɹəsˈidz", "pɹəsˈiːdz", verb=1.0, after="to with"),
        sense("pɹˈOsˌidz", "pɹˈQsiːdz", verb=-1.0, after="from go went will of were", near="charity sale sales"),
    ),
    "protest": stress("pɹˈOtˌɛst", "pɹətˈɛst"),
    "export": stress("ˈɛkspˌɔɹt", "ɪkspˈɔɹt"),
    "combat": stress("kˈɑmbˌæt", "kəmbˈæt"),
    "annex": stress("ˈænˌɛks", "ənˈɛks"),
    "perfume": stress("pˈɜɹfjˌum", "pəɹfjˈum"),
    "sake": (
        sense("sˈAk", prior=1.0, before="the 's my your their his her our god's heaven's goodness", after="of"),
        sense("sˈɑki", near="drink drank sushi japanese rice warm bottle cup bar wine beer"),
    ),
    "learned": (
        sense("lˈɜɹnd", prior=1.0, after="helplessness behavior behaviour response"),
        sense(
            "lˈɜɹnɪd",
            after=f"{_PEOPLE} scholar scholars professor friend colleague judge society journal",
            when=cues.attributive,
        ),
    ),
    "blessed": (
        sense("blˈɛst", prior=1.5, verb=0.3, after="with by to"),
        sense("blˈɛsɪd", after="virgin relief event silence sacrament mother trinity", when=cues.attributive),
    ),
    "aged": (
        sense(
            "ˈAʤd", prior=1.0, after="cheese beef wine whisky whiskey rum cheddar well between", when=cues.numeral_after
        ),
        sense(
            "ˈAʤɪd",
            after=_PEOPLE + " population aunt uncle grandmother",
            when=cues.attributive,
            near="elderly frail infirm",
        ),
        sense("ˈAʤɪd", before="the", when=cues.alone_after_determiner),
    ),
    "invalid": (
        sense("ɪnvˈælɪd", prior=1.5),
        sense(
            "ˈɪnvəlɪd",
            "ˈɪnvəlɪd",
            after=_FAMILY + " who",
            near="wheelchair nurse bedridden illness",
            when=cues.alone_after_determiner,
        ),
    ),
    "upset": (
        sense("ˌʌpsˈɛt", prior=1.0),
        sense("ˈʌpsˌɛt", after="win victory bid loss defeat", when=cues.alone_after_determiner),
    ),
    "deserts": (
        sense("dˈɛzəɹts", verb=-0.5),
        sense("dəzˈɜɹts", "dɪzˈɜːts", verb=0.4, before="just"),
    ),
}

_PLURALS = (
    "wind",
    "wound",
    "tear",
    "bow",
    "resume",
    "row",
    "sow",
    "dove",
    "protest",
    "export",
    "combat",
    "perfume",
    "polish",
    "minute",
)
SENSES |= {
    word + ("es" if word.endswith("sh") else "s"): tuple(
        replace(s, us=with_s(s.us), gb=with_s(s.gb) if s.gb else "") for s in SENSES[word]
    )
    for word in _PLURALS
}
