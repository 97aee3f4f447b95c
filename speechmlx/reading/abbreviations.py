"""The abbreviations of English and, for the ends of sentences, of its neighbours: one table for the whole package.

The splitting of sentences asks whether a full stop after one may end a sentence; the verbaliser asks for its words.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Abbreviation:
    """What an abbreviation stands for, and what its full stop may mean."""

    words: str
    """Lower case; "" where this table has no English words for it."""
    before: str = ""
    """What it stands before: "name", "number" or "" for anything. `words` are its reading there."""
    other: str = ""
    """Its words where it does not stand before that: "street" of "St"; "" where it is no abbreviation then."""
    ends: bool = False
    """A full stop after it ends a sentence when a capital letter follows."""
    stop: bool = False
    """One only with its full stop: "no." is a word without it."""

    def may_end(self, number_follows: bool) -> bool:
        """Whether the full stop after it ends a sentence, when a capital letter or a digit follows."""
        return self.ends and not (number_follows and self.before == "number")


def find(word: str) -> Abbreviation | None:
    """The abbreviation that `word` is, in any case and without its last full stop: "Dr", "e.g"; None for others."""
    return TABLE.get(word.lower())


def _rows(rows: str, before: str = "", *, ends: bool = False, stop: bool = False) -> dict[str, Abbreviation]:
    """Rows "spelling, spelling = words [/ other words]"."""
    found = {}
    for row in filter(None, map(str.strip, rows.splitlines())):
        spellings, _, words = row.partition(" = ")
        first, _, other = words.partition(" / ")
        for spelling in spellings.split(", "):
            found[spelling] = Abbreviation(first.strip(), before, other.strip(), ends, stop)
    return found


TITLES = """
    mr = mister
    mrs = missus
    ms = miz
    mx = mix
    messrs = messieurs
    dr = doctor / drive
    st = saint / street
    mt = mount
    ft = fort / feet
    prof = professor
    rev = reverend
    hon = honorable
    gen = general
    col = colonel
    capt, cpt = captain
    lt = lieutenant
    cmdr, cdr = commander
    sgt = sergeant
    cpl = corporal
    maj = major
    adm = admiral
    gov = governor
    sen = senator
    pres = president
    supt = superintendent
    pvt = private
    sec'y = secretary
    atty = attorney
    amb = ambassador
    ofc = officer
    insp = inspector
    det = detective
    mlle = mademoiselle
    mme = madame
"""
TITLES_WITH_STOP = """
    conf tbl bn cav lk ala ill
    cl tex
    wash conn fla mich minn tenn colo lg sm med rt ofc
    rep = representative
    fr = father
    br = brother
    pt = point
    sr = senior / senior
    jr = junior / junior
    sig = signor
    m = monsieur
"""
REFERENCES = """
    bk = book / book
    cl = clause
    vv = verses / verses
    ll = lines / lines
    cols = columns / columns
    app = appendix
    fig = figure / figure
    figs = figures / figures
    vol = volume / volume
    vols = volumes / volumes
    ch = chapter / chapter
    chap = chapter / chapter
    sec = section / second
    sect = section / section
    art = article / article
    para = paragraph / paragraph
    eq, eqn = equation / equation
    eqs = equations / equations
    ed = edition / edition
    p = page
    pg = page / page
    pp = pages / pages
    pgs = pages / pages
"""
NUMBERED = """
    a.d = a d / a d
    exp = expires / experience
    est = established / estimated
    no = number
    nos = numbers
    max = maximum / maximum
    min = minimum / minimum
    approx = approximately / approximately
    appx = appendix / approximately
    ca = circa
    c = circa
    cir = circle / circle
    ext = extension / extension
    rm = room / room
    apt = apartment / apartment
    fl = floor / floor
    bldg = building / building
    rte, rt = route / route
    tel = telephone / telephone
    ver = version / version
    op = opus
    ep = episode / episode
    pt = part / point
    ln = line / lane
    l = line
    v = verse / versus
    jan = january / january
    feb = february / february
    mar = march / march
    apr = april / april
    jun = june / june
    jul = july / july
    aug = august / august
    sep, sept = september / september
    oct = october / october
    nov = november / november
    dec = december / december
"""
BARE_REFERENCES = """
    ste = suite
    pp = pages
    pg = page
    vol = volume
    fig = figure
    figs = figures
"""
BARE_NUMBERED = """
    apt = apartment
    bldg = building
    hwy = highway / highway
    fwy = freeway / freeway
    rte = route
    ext = extension
    approx = approximately / approximately
    max = max / max
"""
ENDING = """
    inc = incorporated
    ltd = limited
    corp = corporation
    co = company
    bros = brothers
    dept = department
    assn = association
    assoc = associate
    univ = university
    etc = et cetera
    govt = government
    appt = appointment
    mgmt = management
    ave, av = avenue
    blvd = boulevard
    rd = road
    ln = lane
    ct = court
    pl = place
    sq = square
    pkwy = parkway
    expy = expressway
    ter, terr = terrace
    cres = crescent
    trl = trail
    mon = monday
    tue, tues = tuesday
    wed, weds = wednesday
    thu, thur, thurs = thursday
    fri = friday
    sat = saturday
    sun = sunday
    ph.d = p h d
    m.d = m d
    a.m = a m
    p.m = p m
    u.s = u s
    u.k = u k
    u.n = u n
    e.u = e u
    d.c = d c
    b.c = b c
    b.a = b a
    m.a = m a
    m.b.a = m b a
    r.i.p = r i p
    int'l, intl = international
    nat'l, natl = national
    esq = esquire
    ibid = ibidem
    mfg = manufacturing
    mtg = meeting
    cu = cubic
    hq = headquarters
    jct = junction
    avg = average
    temp = temperature
    tbsp, tbs = tablespoons
    tsp = teaspoons
    oz = ounces
    lb = pound
    lbs = pounds
    hr = hour
    hrs = hours
    mins = minutes
    secs = seconds
    yr = year
    yrs = years
    mo = month
    mos = months
    wk = week
    wks = weeks
    gal = gallons
    qt = quarts
    in = inches
    cont = continued
    cont'd = continued
"""
INNER = """
    e.g = for example
    i.e = that is
    eg = for example
    ie = that is
    a.k.a, aka = also known as
    vs = versus
    cf = compare
    viz = namely
    al = al
    incl = including
    excl = excluding
    misc = miscellaneous
    resp = respectively
    ctrl = control
    cmd = command
    esc = escape
    w.r.t, wrt = with respect to
    i.a = among others
    n.b, nb = note
    p.s = p s
    p.p.s = p p s
    r.s.v.p = r s v p
    c.f = compare
    d.b.a = doing business as
    ref = reference
    gov't = government
    orig = originally
    pub = published
    trans = translated
    fwd = forward
    dir = director
    pkg = package
    qty = quantity
    amt = amount
    tot = total
    amend = amendment
    bdrm = bedroom
    mkt = market
    mgr = manager
    utd = united
    conf = confirmation
    tbl = table
    bn = battalion
    cav = cavalry
    lk = lake
    ala = alabama
    ill = illinois
    tex = texas
    wash = washington
    calif = california
    conn = connecticut
    fla = florida
    mich = michigan
    minn = minnesota
    tenn = tennessee
    ariz = arizona
    colo = colorado
    okla = oklahoma
    lg = large
    sm = small
    med = medium
    agg = aggregate
    attn = attention
    asst = assistant
    exec = executive
    bldgs = buildings
"""
SCRIPTURE = (
    "exod lev deut josh judg chron neh ps pss prov eccl isa jer lam ezek dan hos mic hab zech mal matt rom cor gal eph "
    "phil thess tim heb jas pet"
).split()
"""Books that are read with chapter and verse."""
NEIGHBOURS = (
    "mmes mlles mlle me sigg sra srta dra dña exmo ing arch avv dott herr hr z.b d.h bzw usw evtl nr bd abs "
    "p.ex ej núm pág arq lic"
).split()
NEIGHBOURS_ENDING = "cie ecc ltda ss al".split()
WITH_STOP = """
    no nos in art op c ca ed sec sect l v p mar sun sat mon wed co al cir est fl mo ct pl sq av temp ter pub trans
    dir ref orig cont hon gen col adm sen pres det insp maj rep fr br sig m sr jr pt eq para mos lb in
""".split()

TABLE = (
    {word: Abbreviation("") for word in NEIGHBOURS}
    | {word: Abbreviation("", ends=True) for word in NEIGHBOURS_ENDING}
    | {word: Abbreviation("", "number", ends=True, stop=True) for word in SCRIPTURE}
    | _rows(TITLES_WITH_STOP, "name", stop=True)
    | _rows(TITLES, "name")
    | _rows(ENDING, ends=True)
    | _rows(INNER)
    | _rows(REFERENCES, "number", stop=True)
    | _rows(BARE_REFERENCES, "number")
    | _rows(NUMBERED, "number", ends=True, stop=True)
    | _rows(BARE_NUMBERED, "number", ends=True)
)
TABLE |= {
    word: Abbreviation(a.words, a.before, a.other, a.ends, True) for word, a in TABLE.items() if word in WITH_STOP
}
