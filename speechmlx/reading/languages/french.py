"""French."""

from __future__ import annotations

from speechmlx.reading.languages.language import Language, Noun, TimeOfDay, listed, nouns, numbered, pairs
from speechmlx.reading.languages.numerals import Numeral

FEMININE: tuple[str, ...] = (
    "tion",
    "tions",
    "sion",
    "sions",
    "té",
    "tés",
    "ette",
    "ettes",
    "ence",
    "ences",
    "ance",
    "ances",
    "ure",
    "ures",
)
FEMININE += ("ée", "ées", "ie", "ies", "ine", "ines", "elle", "elles", "esse", "esses", "ade", "ades", "ille", "illes")
FEMININE += ("euse", "euses", "trice", "trices", "aison", "ude", "udes", "onne", "onnes", "ise", "ises", "ère", "ères")
FEMININE_WORDS = frozenset(
    "pomme pommes page pages fois heure heures femme femmes table tables maison maisons ville villes rue rues "
    "tasse tasses cuillère semaine semaines journée minute minutes seconde secondes place places voiture voitures "
    "chambre chambres carte cartes porte portes lettre lettres personne personnes chose choses main mains nuit "
    "nuits école écoles tonne tonnes orange oranges banane tarte tartes bière bières équipe équipes étape étapes "
    "note notes".split()
)
MASCULINE = frozenset("musée lycée génie incendie parapluie foie côté été comité traité père frère mètre".split())
PARTS = {2: "demi", 3: "tiers", 4: "quart", 5: "cinquième", 6: "sixième", 7: "septième", 8: "huitième", 9: "neuvième"}
PARTS |= {10: "dixième", 100: "centième"}
KINGS = "louis charles henri philippe françois napoléon jean guillaume"


class French(Language):
    code = "fr"
    decimal = ","
    comma, point, paired = "virgule", "point", True
    rulesets = pairs(
        "=spellout-numbering, m=spellout-cardinal-masculine, f=spellout-cardinal-feminine, "
        "1=spellout-ordinal-masculine, 1f=spellout-ordinal-feminine"
    )
    minus, to, over, per, of = "moins", "à", "sur", "par", "de"
    half = Noun("demi", "demie")
    millions = frozenset({"million", "millions", "milliard", "milliards", "billion", "billions"})
    rated = frozenset({"étoiles", "points"})
    weekdays = pairs("lun=lundi, mar=mardi, mer=mercredi, jeu=jeudi, ven=vendredi, sam=samedi, dim=dimanche")
    articles = frozenset({"le", "la", "les", "au", "du"})
    months = listed("janvier février mars avril mai juin juillet août septembre octobre novembre décembre")
    short_months = numbered("janv.=1, févr.=2, fév.=2, avr.=4, juil.=7, sept.=9, oct.=10, nov.=11, déc.=12")
    units = nouns(
        "km=kilomètre/kilomètres, m=mètre/mètres, cm=centimètre/centimètres, mm=millimètre/millimètres, "
        "km²=kilomètre carré/kilomètres carrés, m²=mètre carré/mètres carrés, m³=mètre cube/mètres cubes, "
        "m2=mètre carré/mètres carrés, km2=kilomètre carré/kilomètres carrés, m3=mètre cube/mètres cubes, "
        "ha=hectare/hectares, kg=kilogramme/kilogrammes, g=gramme/grammes, mg=milligramme/milligrammes, "
        "µg=microgramme/microgrammes, t=tonne/tonnes/f, lb=livre/livres/f, l=litre/litres, L=litre/litres, "
        "cl=centilitre/centilitres, dl=décilitre/décilitres, ml=millilitre/millilitres, h=heure/heures/f, "
        "min=minute/minutes/f, mn=minute/minutes/f, s=seconde/secondes/f, sec=seconde/secondes/f, "
        "ms=milliseconde/millisecondes/f, °=degré/degrés, °C=degré Celsius/degrés Celsius, ºC=degré "
        "Celsius/degrés Celsius, °F=degré Fahrenheit/degrés Fahrenheit, W=watt/watts, kW=kilowatt/kilowatts, "
        "MW=mégawatt/mégawatts, kWh=kilowattheure/kilowattheures, V=volt/volts, A=ampère/ampères, Hz=hertz, "
        "kHz=kilohertz, MHz=mégahertz, GHz=gigahertz, Ko=kilooctet/kilooctets, Mo=mégaoctet/mégaoctets, "
        "Go=gigaoctet/gigaoctets, To=téraoctet/téraoctets, KB=kilooctet/kilooctets, MB=mégaoctet/mégaoctets, "
        "GB=gigaoctet/gigaoctets, cal=calorie/calories/f, kcal=kilocalorie/kilocalories/f, dB=décibel/décibels, "
        "hPa=hectopascal/hectopascals, ch=cheval/chevaux, km/h=kilomètre heure/kilomètres heure, ‰=pour mille"
    )
    currencies = nouns(
        "EUR=euro/euros, USD=dollar/dollars, GBP=livre/livres/f, JPY=yen/yens, INR=roupie/roupies/f, "
        "BRL=real/reals, CHF=franc suisse/francs suisses, RUB=rouble/roubles, KRW=won/wons, CNY=yuan/yuans, "
        "CAD=dollar canadien/dollars canadiens, AUD=dollar australien/dollars australiens, XOF=franc CFA/francs "
        "CFA"
    )
    cents = nouns("EUR=centime/centimes, USD=cent/cents, GBP=penny/pence, CHF=centime/centimes, CAD=cent/cents")
    magnitudes = nouns(
        "millions=million/millions, million=million/millions, M=million/millions, milliards=milliard/milliards, "
        "milliard=milliard/milliards, Md=milliard/milliards, Mds=milliard/milliards, mille=mille, k=mille, K=mille"
    )
    abbreviations = pairs(
        "M.=monsieur, MM.=messieurs, Mme=madame, Mmes=mesdames, Mlle=mademoiselle, Mlles=mesdemoiselles, "
        "Dr=docteur, Dr.=docteur, Dre=docteure, Pr=professeur, Prof.=professeur, Me=maître, Mgr=monseigneur, "
        "St=saint, Ste=sainte, av.=avenue, bd=boulevard, bld=boulevard, boul.=boulevard, pl.=place, rte=route, "
        "n°=numéro, nº=numéro, n°s=numéros, art.=article, chap.=chapitre, p.=page, pp.=pages, vol.=volume, "
        "fig.=figure, éd.=édition, tél.=téléphone, c. à s.=cuillères à soupe, c. à c.=cuillères à café, etc.=et "
        "cetera, etc…=et cetera, c.-à-d.=c'est-à-dire, p. ex.=par exemple, ex.=exemple, env.=environ, "
        "max.=maximum, min.=minimum, av. J.-C.=avant Jésus-Christ, apr. J.-C.=après Jésus-Christ, "
        "J.-C.=Jésus-Christ, cf.=confer, vs=versus, vs.=versus, hab.=habitants, dép.=département, Cie=compagnie, "
        "s.v.p.=s'il vous plaît, svp=s'il vous plaît, SVP=s'il vous plaît, RDV=rendez-vous, rdv=rendez-vous, "
        "qqch.=quelque chose, qqn=quelqu'un, apt.=appartement, appt=appartement, bât.=bâtiment, "
        "éts=établissements"
    )
    signs = pairs(
        "%=pour cent, &=et, +=plus, ==égale, @=arobase, ×=fois, *=fois, ÷=divisé par, #=dièse, №=numéro, €=euros, "
        "$=dollars, £=livres, ₹=roupies, °=degrés, ²=au carré, ³=au cube, √=racine carrée de, <=inférieur à, "
        ">=supérieur à, ≤=inférieur ou égal à, ≥=supérieur ou égal à, ≠=différent de, ±=plus ou moins, ≈=environ, "
        "^=puissance, §=paragraphe, ©=copyright, ®=marque déposée, ∞=infini, π=pi, →=vers, /=slash, -=tiret, "
        "_=tiret bas, −=moins, |=, ~=environ, ‰=pour mille, ?=point d'interrogation"
    )
    labels = frozenset(
        "page pages chapitre numéro article section figure tableau partie tome chaîne salle chambre ligne niveau "
        "groupe phase loi question exercice étape unité leçon volume annexe note option version porte étage scène "
        "acte année siècle saison épisode route voie quai table rue".split()
    )
    not_nouns = frozenset(
        "de du des et ou à au aux en dans sur avec par pour que qui est sont était a ont comme sans entre depuis "
        "jusqu plus moins se ne ni la le les un une l d ce ces sa son ses si aussi après selon chaque hier demain "
        "quand où mais donc il elle ils elles on nous vous".split()
    )
    spelled = frozenset(
        "FBI CIA SNCF TGV RER UE USA ADN TVA BD CV PDG IA PC TV SMS EDF RATP HTML PDF URL USB GPS ONG".split()
    )
    names = frozenset("ONU OTAN OVNI SIDA UNESCO NASA FIFA UEFA LE LA UN DE DU ET OU EN AU CE SE NE".split())
    phone = r"[1-9](?:[ .-]\d{2}){4}"
    hours = r"heures?|hrs?|h"

    def gender(self, noun: str, number: int) -> str:
        word = noun.lower()
        return "f" if word in FEMININE_WORDS or (word.endswith(FEMININE) and word not in MASCULINE) else "m"

    def digits(self, text: str) -> str:
        """A group of two digits is a number, as in telephone numbers: "23" → "vingt-trois"."""
        if len(text) == 2 and text[0] != "0":
            return self.cardinal(int(text))
        return super().digits(text)

    def quantity(self, number: Numeral, noun: Noun) -> str:
        return self.number(number, noun.gender)

    def day(self, day: int) -> str:
        return "premier" if day == 1 else self.cardinal(day)

    def time(self, clock: TimeOfDay) -> str:
        hour = f"{self.cardinal(clock.hour, 'f')} {'heure' if clock.hour < 2 else 'heures'}"
        minute = f" {self.cardinal(clock.minute, 'f')}" if clock.minute else ""
        second = f" et {self.cardinal(clock.second, 'f')} secondes" if clock.second is not None else ""
        return f"{hour}{minute}{second}"

    def with_cents(self, number: Numeral, noun: Noun, cents: Numeral, cent: Noun) -> str:
        return f"{self.quantity(number, noun)} {noun.of(number)} {self.cardinal(int(cents.whole))}"

    def joined(self, magnitude: str, currency: str) -> str:
        if magnitude.rpartition(" ")[2] not in self.millions:
            return f"{magnitude} {currency}"
        return f"{magnitude} d'{currency}" if currency[0] in "aeiou" else f"{magnitude} de {currency}"

    def rate(self, noun: str, unit: Noun) -> str:
        return f"{noun} par {unit.one}"

    def part_of(self, fraction: str, noun: str) -> str:
        return f"{fraction} d' {noun}" if noun[:1].lower() in "aeiouhéêèâ" else f"{fraction} de {noun}"

    def ordinal(self, number: int, suffix: str, before: str, after: str) -> str | None:
        kind = {
            "er": "1",
            "ers": "1",
            "re": "1f",
            "ère": "1f",
            "º": "1",
            "e": "1",
            "ème": "1",
            "eme": "1",
            "ᵉ": "1",
            "es": "1",
        }
        kind |= {"nd": "1", "nde": "1f", "d": "1", "de": "1f", "è": "1", "°": "1"}
        form = kind.get(suffix.strip("."))
        if not form or not 0 < number < 10000:
            return None
        if suffix in ("nd", "nde", "d", "de"):
            return f"second{'e' * suffix.endswith('e')}" if number == 2 else None
        return self.cardinal(number, form)

    def fraction(self, number: int, parts: int, noun: str) -> str | None:
        if parts not in PARTS:
            return f"{self.cardinal(number)} {self.over} {self.cardinal(parts)}"
        if parts == 2:
            feminine = noun and noun.lower() not in self.not_nouns and self.gender(noun, 1) == "f"
            return "une demi" if feminine else "un demi"
        return f"{self.cardinal(number, 'm')} {PARTS[parts]}{'s' if number > 1 and parts != 3 else ''}"

    def regnal(self, number: int, before: str) -> str:
        if number == 1:
            return "première" if before.endswith(("ine", "beth", "ie", "ria")) else "premier"
        return self.cardinal(number)

    def roman(self, number: int, before: str, after: str, suffix: str) -> str | None:
        plain = suffix.strip(".")
        after = after if plain or after in ("siècle", "siècles") else ""
        if plain in ("er", "re", "ère"):
            return "première" if plain != "er" else "premier"
        if plain in ("e", "ème") or after.startswith("siècle"):
            return self.cardinal(number, "1")
        return super().roman(number, before, after, suffix)
