"""Classes of English words, by lists of the closed classes and common verbs, and by suffixes for the rest."""

from __future__ import annotations

from functools import lru_cache


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# One letter for each class, so that a context is a string.
DETERMINER, POSSESSIVE, SUBJECT, OBJECT, MODAL, TO, PREPOSITION = "D", "P", "S", "O", "M", "T", "R"
BE, HAVE, ADVERB, ADJECTIVE, NOUN, VERB, THIRD, PAST, ING = "B", "H", "A", "J", "N", "V", "Z", "X", "G"
CONJUNCTION, NUMBER, RELATIVE, MARK, UNKNOWN = "C", "Q", "W", ".", "?"

_CLOSED = {
    DETERMINER: "a an the this these those some any no every each another many several few more most other all both "
    "enough either neither such whatever much less half",
    POSSESSIVE: "my your his her its our their whose one's",
    SUBJECT: "i you he she it we they who everyone everybody someone somebody nobody anyone anybody there y'all",
    OBJECT: "me him us them myself yourself himself herself itself ourselves themselves",
    MODAL: "will would can could shall should may might must do does did don't doesn't didn't won't wouldn't can't "
    "cannot couldn't shouldn't mustn't mightn't needn't let's i'll you'll he'll she'll it'll we'll they'll that'll "
    "who'll i'd you'd he'd she'd we'd they'd who'd gonna wanna gotta please would've",
    TO: "to",
    PREPOSITION: "of in on at by for with from into onto over under about after before between through during without "
    "within against among per via as than like since until till near behind beside beyond across along around above "
    "below upon off despite except toward towards inside outside",
    BE: "am is are was were be been being isn't aren't wasn't weren't it's that's he's she's i'm you're we're they're "
    "there's what's who's here's where's ain't",
    HAVE: "has have had having i've you've we've they've who've hasn't haven't hadn't could've should've would've "
    "might've must've",
    ADVERB: "not never always often usually sometimes also only really still just quite very too so rather already "
    "ever almost even again now then soon here there's well maybe perhaps once twice together away back down "
    "up out yesterday today tomorrow tonight seldom rarely hardly barely simply merely otherwise instead far "
    "fast hard late early forever better alone",
    CONJUNCTION: "and or but nor yet plus",
    NUMBER: "one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy "
    "eighty ninety hundred thousand million billion zero",
    RELATIVE: "that which when where why how what if because while although though unless whether whenever",
    ADJECTIVE: "new old own good bad great first last next best big small little long large high low young short "
    "strong free full clear main major hot cold white black red blue green brown gray grey yellow single "
    "double same different local public social nice fresh whole early real right wrong true false easy "
    "deep heavy light dark terrible sweet rich poor happy sad clean dirty dry wet loud quiet quick slow "
    "warm cool safe sharp soft strange wide narrow proud common rare second third fourth fifth final "
    "recent current human open foreign modern raw loose tight ripe dead alive broken tiny huge vast minor "
    "late tall thick thin sick ill sore bare blunt bold brave brief bright broad busy cheap dear dull fair "
    "fine firm flat fond glad harsh holy kind lame mad mild odd plain pure round rude sour steep stiff "
    "thorough vivid weak weird wild wise severe sudden perfect important complete household drunk frozen "
    "fake official joint",
}
_KINDS = {word: kind for kind, words in reversed(_CLOSED.items()) for word in words.split()}

VERBS = _set(
    "accept air stream perform apply achieve act add admit affect afford agree aim allow announce answer appear apply "
    "argue arrange arrive ask assume attack attend avoid beat become begin believe belong bite blame bless blow boil "
    "borrow break bring broadcast build burn buy call cancel care carry cast catch cause celebrate change charge "
    "chase chat check choose claim clean clear climb collect combine come compare complain consider contain continue "
    "control convince cook cost count cover create cry cut dance deal decide defend deliver deny depend describe "
    "deserve destroy develop die discover discuss divide draw dream dress drink drive drop eat enable encourage enjoy "
    "enter escape establish examine exist expect experience explain express face fail fall feed feel fight fill find "
    "finish fit fix fly fold follow force forget forgive form found gain gather get give go grab grow guess handle "
    "hang happen hate hear help hide hit hold hope hunt hurt identify imagine improve include inform introduce invent "
    "invite join jump keep kick kill kiss knock know lack laugh launch lay lean learn leave lend let lie lift listen "
    "lock look lose love make manage mark marry match matter mean measure meet mention mind miss mix move need notice "
    "obtain occur offer open order organize own pack paint park pass pay pick plan plant play pour practice pray "
    "prefer prepare prevent print promise protect prove provide publish pull push put raise reach realize receive "
    "recognize reduce reflect regret relate release remain remember remove repair repeat replace reply report "
    "represent request require rescue rest return reveal ride ring rise roll rub ruin run rush save say search see "
    "seek seem sell send serve set settle shake share shine shoot shop shout show shut sing sit sleep slide smell "
    "smile smoke solve sort speak spend spoil spread stand stare start state stay steal stick stop store strike study "
    "succeed suffer suggest supply support suppose surprise survive swear sweep swim switch take talk taste teach "
    "tell tend thank think threaten throw tie touch train travel treat trust try turn understand visit vote wait wake "
    "walk want warn wash waste watch wear win wipe wish wonder work worry wrap write yell"
)
_IRREGULAR = _set(
    "read spread was were had did went came took made got gave said told saw knew thought found left felt kept held "
    "heard brought bought caught taught began ran sat stood lost paid met sent built spent won wrote drove rode rose "
    "spoke broke chose wore tore bore swore fell flew grew threw drew blew ate drank sang swam rang sank hid bit fed "
    "led lit slept swept wept crept meant dealt dreamt burnt learnt spelt shot shut hung stuck struck swung dug "
    "became forgot forgave understood woke shook stole froze lay laid sold hurt put set let cut hit cost beat sought "
    "fought bent lent wound written driven broken chosen spoken worn torn taken given seen known done gone eaten "
    "drunk sung begun fallen flown grown thrown drawn blown hidden bitten shown proven beaten forgotten woven ground "
    "bound"
)
PLURALS = _set("people children men women police cattle mice geese feet teeth parents fish sheep")
_ADJECTIVES = ("ous", "ful", "ive", "able", "ible", "less", "ish", "ical", "ian", "ese", "esque", "ary", "al")
_NOUNS = ("tion", "sion", "ment", "ness", "ity", "ism", "ist", "ship", "hood", "ance", "ence", "age", "ure", "dom")


KEPT = 64
"""Characters of a word whose class is remembered, at most."""
_NOUNS_IN_AL = _set(
    "animal hospital material capital journal festival terminal signal proposal arrival approval rival trial denial "
    "survival criminal cardinal general admiral individual official professional removal refusal renewal referral "
    "manual mineral tutorial editorial metal medal crystal carnival burial funeral dial"
)


def kind(word: str) -> str:
    """The class of a lower-case word or mark."""
    return _kind(word) if len(word) <= KEPT else _kind.__wrapped__(word)


@lru_cache(maxsize=8192)
def _kind(word: str) -> str:
    known = _KINDS.get(word)
    if known is not None:
        return known
    if not word or not word[0].isalpha():
        return MARK
    if word.endswith("'s") or word.endswith("s'"):
        return POSSESSIVE
    if word in _IRREGULAR:
        return PAST
    if word in VERBS:
        return VERB
    if word in PLURALS:
        return NOUN
    return _by_suffix(word)


def _by_suffix(word: str) -> str:
    if word.endswith("ly") and len(word) > 4:
        return ADVERB
    if word.endswith("ing") and len(word) > 4:
        return ING
    if word.endswith("ed") and len(word) > 3:
        return PAST
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        stems = (word[:-1], word[:-2], word[:-3] + "y")
        return THIRD if any(stem in VERBS for stem in stems) else NOUN
    if word in _NOUNS_IN_AL or (len(word) > 5 and word.endswith(_NOUNS)):
        return NOUN
    if len(word) > 5 and word.endswith(_ADJECTIVES):
        return ADJECTIVE
    return UNKNOWN


def is_plural(word: str) -> bool:
    return word in PLURALS or (word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")))
