"""German."""

from __future__ import annotations

from speechmlx.reading.languages.language import Language, Noun, TimeOfDay, listed, nouns, numbered, pairs
from speechmlx.reading.languages.numerals import Numeral

DATIVE = frozenset(
    "am im vom zum zur beim dem den ab seit bis nach dieser diesem diesen jedem jeden einem einen unserem".split()
)
DATIVE |= frozenset("meinem meinen ihrem seinem seinen des einer".split())
PREPOSITIONS = frozenset("mit seit nach vor von bei aus in zu".split())
"""What the dative follows."""
WEAK = frozenset("der die das dieser diese dieses jede jeder jedes".split())
FEMININE = ("ung", "ungen", "heit", "keit", "schaft", "ion", "tät", "ik", "ur", "in", "ei", "e")
NOT_FEMININE = frozenset(
    "name käse junge kunde auge ende interesse gebäude knabe affe hase löwe erbe gedanke termin".split()
)
FEMININE_WORDS = frozenset(
    "frau stadt nacht hand tür wand bank woche stunde minute sekunde person uhr milch zahl".split()
)
PARTS = {
    3: "drittel",
    4: "viertel",
    5: "fünftel",
    6: "sechstel",
    7: "siebtel",
    8: "achtel",
    9: "neuntel",
    10: "zehntel",
}
PARTS |= {12: "zwölftel", 20: "zwanzigstel", 100: "hundertstel"}
TENS = {1: "zehner", 2: "zwanziger", 3: "dreißiger", 4: "vierziger", 5: "fünfziger", 6: "sechziger", 7: "siebziger"}
TENS |= {8: "achtziger", 9: "neunziger"}


class German(Language):
    code = "de"
    decimal = ","
    comma, point = "Komma", "Punkt"
    rulesets = pairs("=spellout-numbering, 1=spellout-ordinal")
    minus, to, over, per, of = "minus", "bis", "von", "pro", ""
    versus = "zu"
    endings = pairs("str.=straße, Str.=Straße, pl.=platz, nr.=nummer")
    rated = frozenset({"sterne", "sternen", "punkte", "punkten"})
    weekdays = pairs("Mo=Montag, Di=Dienstag, Mi=Mittwoch, Do=Donnerstag, Fr=Freitag, Sa=Samstag, So=Sonntag")
    dotted_dates = True
    months = listed("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")
    short_months = numbered("Jänner=1, Jan.=1, Feb.=2, Apr.=4, Aug.=8, Sept.=9, Sep.=9, Okt.=10, Nov.=11, Dez.=12")
    units = nouns(
        "km=Kilometer, m=Meter, cm=Zentimeter, mm=Millimeter, km²=Quadratkilometer, m²=Quadratmeter, "
        "qm=Quadratmeter, m³=Kubikmeter, m2=Quadratmeter, km2=Quadratkilometer, m3=Kubikmeter, ha=Hektar, "
        "kg=Kilogramm, g=Gramm, mg=Milligramm, µg=Mikrogramm, t=Tonne/Tonnen/f, l=Liter, L=Liter, cl=Zentiliter, "
        "dl=Deziliter, ml=Milliliter, h=Stunde/Stunden/f, Std.=Stunde/Stunden/f, min=Minute/Minuten/f, "
        "Min.=Minute/Minuten/f, s=Sekunde/Sekunden/f, sek=Sekunde/Sekunden/f, Sek.=Sekunde/Sekunden/f, "
        "ms=Millisekunde/Millisekunden/f, °=Grad, °C=Grad Celsius, ºC=Grad Celsius, °F=Grad Fahrenheit, W=Watt, "
        "kW=Kilowatt, MW=Megawatt, kWh=Kilowattstunde/Kilowattstunden/f, V=Volt, A=Ampere, Hz=Hertz, "
        "kHz=Kilohertz, MHz=Megahertz, GHz=Gigahertz, KB=Kilobyte, MB=Megabyte, GB=Gigabyte, TB=Terabyte, "
        "Mbit=Megabit, cal=Kalorie/Kalorien/f, kcal=Kilokalorie/Kilokalorien/f, dB=Dezibel, hPa=Hektopascal, "
        "PS=PS, EL=Esslöffel, TL=Teelöffel, Stk.=Stück, ‰=Promille"
    )
    currencies = nouns(
        "EUR=Euro, USD=Dollar, GBP=Pfund, JPY=Yen, INR=Rupie/Rupien/f, BRL=Real, CHF=Franken, RUB=Rubel, KRW=Won, "
        "CNY=Yuan, CAD=kanadischer Dollar/kanadische Dollar, AUD=australischer Dollar/australische Dollar"
    )
    cents = nouns("EUR=Cent, USD=Cent, GBP=Penny/Pence, CHF=Rappen")
    magnitudes = nouns(
        "Millionen=Million/Millionen/f, Million=Million/Millionen/f, Mio.=Million/Millionen/f, "
        "Mio=Million/Millionen/f, Milliarden=Milliarde/Milliarden/f, Milliarde=Milliarde/Milliarden/f, "
        "Mrd.=Milliarde/Milliarden/f, Mrd=Milliarde/Milliarden/f, Billionen=Billion/Billionen/f, Tsd.=Tausend, "
        "tausend=tausend"
    )
    abbreviations = pairs(
        "Hr.=Herr, Hrn.=Herrn, Fr.=Frau, Dr.=Doktor, Prof.=Professor, Dipl.-Ing.=Diplomingenieur, Ing.=Ingenieur, "
        "St.=Sankt, Nr.=Nummer, Nrn.=Nummern, Str.=Straße, Pl.=Platz, Abs.=Absatz, Abschn.=Abschnitt, "
        "Art.=Artikel, Kap.=Kapitel, S.=Seite, Bd.=Band, Abb.=Abbildung, Tab.=Tabelle, Aufl.=Auflage, "
        "Hrsg.=Herausgeber, Tel.=Telefon, Tel.-Nr.=Telefonnummer, MwSt.=Mehrwertsteuer, z. Hd.=zu Händen, "
        "usw.=und so weiter, etc.=et cetera, bzw.=beziehungsweise, z. B.=zum Beispiel, d. h.=das heißt, u. "
        "a.=unter anderem, u. U.=unter Umständen, z. T.=zum Teil, i. d. R.=in der Regel, o. Ä.=oder Ähnliches, u. "
        "Ä.=und Ähnliches, v. a.=vor allem, s. o.=siehe oben, s. u.=siehe unten, i. A.=im Auftrag, v. Chr.=vor "
        "Christus, n. Chr.=nach Christus, ca.=circa, evtl.=eventuell, ggf.=gegebenenfalls, inkl.=inklusive, "
        "exkl.=exklusive, zzgl.=zuzüglich, max.=maximal, min.=mindestens, vgl.=vergleiche, sog.=sogenannt, "
        "sogen.=sogenannt, geb.=geboren, gest.=gestorben, Jh.=Jahrhundert, Jhd.=Jahrhundert, Mio.=Millionen, "
        "Mrd.=Milliarden, Tsd.=Tausend, Std.=Stunden, Min.=Minuten, Sek.=Sekunden, Mo.=Montag, Di.=Dienstag, "
        "Mi.=Mittwoch, Do.=Donnerstag, Sa.=Samstag, So.=Sonntag, Hbf.=Hauptbahnhof, Hbf=Hauptbahnhof, GmbH=G m b "
        "H, vs.=versus, vs=versus, bspw.=beispielsweise, allg.=allgemein, einschl.=einschließlich, "
        "mind.=mindestens, entspr.=entsprechend, jew.=jeweils, österr.=österreichisch, Jan.=Januar, Feb.=Februar, "
        "Aug.=August, Sept.=September, Okt.=Oktober, Nov.=November, Dez.=Dezember"
    )
    signs = pairs(
        "%=Prozent, &=und, +=plus, ==gleich, @=at, ×=mal, *=mal, ÷=geteilt durch, #=Raute, №=Nummer, €=Euro, "
        "$=Dollar, £=Pfund, ₹=Rupien, °=Grad, ²=Quadrat, ³=hoch drei, √=Wurzel aus, <=kleiner als, >=größer als, "
        "≤=kleiner gleich, ≥=größer gleich, ≠=ungleich, ±=plus minus, ≈=ungefähr, ^=hoch, §§=Paragrafen, "
        "§=Paragraf, ©=Copyright, ®=eingetragene Marke, ∞=unendlich, π=Pi, →=nach, /=Schrägstrich, -=Minus, "
        "_=Unterstrich, −=minus, |=, ~=ungefähr, ‰=Promille, ?=Fragezeichen, ·=mal"
    )
    labels = frozenset(
        "seite seiten kapitel nummer artikel abschnitt abbildung tabelle teil band kanal raum zimmer linie ebene "
        "gruppe phase gesetz frage aufgabe schritt lektion anhang option version tür gleis bus szene akt jahr "
        "staffel folge absatz paragraf paragraph tor agent klasse typ stufe".split()
    )
    not_nouns = frozenset()
    spelled = frozenset("FBI CIA EU USA UK BMW CDU CSU SPD FDP AFD DNA PC TV SMS PDF HTML URL USB GPS LKW PKW".split())
    spelled |= frozenset("ARD ZDF AG IT DB ICE EZB DDR BRD UKW WG HIV KI OP ABC AOK".split())
    names = frozenset("NATO UNO NASA UNESCO AIDS FIFA UEFA ADAC TÜV PISA IKEA".split())
    phone = ""
    hours = r"Uhr|h"

    def gender(self, noun: str, number: int) -> str:
        if not noun[:1].isupper() and not noun.islower():
            return ""
        word = noun.lower()
        if not noun[:1].isupper():
            return ""
        return "f" if word in FEMININE_WORDS or (word.endswith(FEMININE) and word not in NOT_FEMININE) else "m"

    def cardinal(self, number: int, gender: str = "") -> str:
        if number == 1 and gender in ("m", "f"):
            return "eine" if gender == "f" else "ein"
        return super().cardinal(number, gender if gender == "1" else "")

    def counted(self, number: Numeral, noun: str, before: str = "") -> str:
        if number.is_one and noun[:1].isupper() and before in PREPOSITIONS:
            return "einer" if self.gender(noun, 1) == "f" else "einem"
        return super().counted(number, noun, before)

    def year(self, number: int) -> str:
        if 1100 <= number < 2000:
            rest = self.cardinal(number % 100) if number % 100 else ""
            return f"{self.cardinal(number // 100)}hundert{rest}"
        return self.cardinal(number)

    def inflected(self, number: int, before: str, ending: str = "r") -> str:
        """An ordinal after the word `before`: "am dritten", "der dritte", "dritter"."""
        word = self.cardinal(number, "1")
        if before in DATIVE or before == "bis":
            return f"{word}n"
        return word if before in WEAK else f"{word}{ending}"

    def date(self, day: int, month: int, year: int | None, before: str) -> str:
        end = f" {self.year(year)}" if year is not None else ""
        weekday = before.endswith(("tag", "woch", "abend"))
        day_words = self.inflected(day, "der" if weekday else before)
        return f"{'der ' if weekday else ''}{day_words} {self.months[month - 1]}{end}"

    def time(self, clock: TimeOfDay) -> str:
        minute = f" {self.cardinal(clock.minute)}" if clock.minute else ""
        second = f" und {self.cardinal(clock.second)} Sekunden" if clock.second is not None else ""
        return f"{self.cardinal(clock.hour, 'm')} Uhr{minute}{second}"

    def with_cents(self, number: Numeral, noun: Noun, cents: Numeral, cent: Noun) -> str:
        return f"{self.quantity(number, noun)} {noun.of(number)} {self.cardinal(int(cents.whole))}"

    def ordinal(self, number: int, suffix: str, before: str, after: str) -> str | None:
        if suffix in ("er", "ern"):
            return self._decade(number, suffix) or self.cardinal(number) + suffix
        if suffix in ("te", "ten", "ter", "tes", "ste", "sten", "ster"):
            return self.cardinal(number, "1").removesuffix("te").removesuffix("s") + suffix if number else None
        if suffix != "." or not 0 < number < 1000:
            return None
        return self.inflected(number, before)

    def _decade(self, number: int, suffix: str) -> str | None:
        tens = number % 100
        if tens % 10 or tens // 10 not in TENS or not (number < 100 or 1100 <= number < 2100):
            return None
        century = "zweitausend" if number >= 2000 else f"{self.cardinal(number // 100)}hundert" if number > 99 else ""
        return century + TENS[tens // 10] + suffix[2:]

    def mixed(self, whole: int, number: int, parts: int, noun: str) -> str | None:
        if (number, parts) == (1, 2):
            return f"{self.cardinal(whole, 'm')}einhalb"
        return super().mixed(whole, number, parts, noun)

    def listed(self, number: int, before: str, after: str) -> str | None:
        governed = before in DATIVE or before in WEAK or after in ("und", "bis", "oder")
        return None if governed or number > 20 else f"{self.cardinal(number, '1')}ns"

    def fraction(self, number: int, parts: int, noun: str) -> str | None:
        if parts == 2:
            if not noun[:1].isupper():
                return "ein halb"
            return (
                "eine halbe"
                if self.gender(noun, 1) == "f"
                else "ein halber"
                if noun in ("Liter", "Meter")
                else "ein halbes"
            )
        if parts not in PARTS:
            return f"{self.cardinal(number)} {self.over} {self.cardinal(parts)}"
        return f"{self.cardinal(number, 'm')} {PARTS[parts]}"

    def regnal(self, number: int, before: str) -> str:
        feminine = before.endswith(("a", "beth", "ine"))
        return f"{'die' if feminine else 'der'} {self.cardinal(number, '1')}"
