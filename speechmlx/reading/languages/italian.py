"""Italian."""

from __future__ import annotations

from speechmlx.reading.languages.language import Language, Noun, TimeOfDay, listed, nouns, numbered, pairs
from speechmlx.reading.languages.numerals import Numeral

FEMININE_WORDS = frozenset(
    "notte parte classe chiave mano foto moto auto radio televisione stazione lezione regione carne fine gente".split()
)
MASCULINE = frozenset("problema sistema programma tema clima poeta pianeta panorama cinema".split())
IMPURE = ("sb", "sc", "sd", "sf", "sg", "sl", "sm", "sn", "sp", "sq", "sr", "st", "sv", "z", "gn", "ps", "pn", "x", "y")
PARTS = {
    2: "mezzo",
    3: "terzo",
    4: "quarto",
    5: "quinto",
    6: "sesto",
    7: "settimo",
    8: "ottavo",
    9: "nono",
    10: "decimo",
}
PARTS |= {100: "centesimo"}


class Italian(Language):
    code = "it"
    decimal = ","
    comma, point, paired = "virgola", "punto", True
    rulesets = pairs("=spellout-numbering, 1=spellout-ordinal-masculine, 1f=spellout-ordinal-feminine")
    minus, to, over, per, of = "meno", "a", "su", "al", "di"
    ranks = frozenset("piano posto classificato grado premio anno giorno turno livello".split())
    half = Noun("mezzo", "mezzo")
    millions = frozenset({"milione", "milioni", "miliardo", "miliardi", "bilione", "bilioni"})
    centuries = pairs("sec.=secolo")
    articles = frozenset("la il lo un una della del dello nella nel alla al dalla dal sulla l".split())
    rated, duration_and = frozenset({"stelle", "punti"}), "e"
    weekdays = pairs("lun=lunedì, mar=martedì, mer=mercoledì, gio=giovedì, ven=venerdì, sab=sabato, dom=domenica")
    months = listed("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre")
    short_months = numbered(
        "gen.=1, feb.=2, mar.=3, apr.=4, mag.=5, giu.=6, lug.=7, ago.=8, set.=9, sett.=9, ott.=10, nov.=11, dic.=12"
    )
    units = nouns(
        "km=chilometro/chilometri, m=metro/metri, cm=centimetro/centimetri, mm=millimetro/millimetri, "
        "km²=chilometro quadrato/chilometri quadrati, m²=metro quadrato/metri quadrati, kmq=chilometro "
        "quadrato/chilometri quadrati, mq=metro quadrato/metri quadrati, m³=metro cubo/metri cubi, m2=metro "
        "quadrato/metri quadrati, km2=chilometro quadrato/chilometri quadrati, mc=metro cubo/metri cubi, "
        "ha=ettaro/ettari, kg=chilogrammo/chilogrammi, hg=ettogrammo/ettogrammi, g=grammo/grammi, "
        "gr=grammo/grammi, mg=milligrammo/milligrammi, µg=microgrammo/microgrammi, t=tonnellata/tonnellate/f, "
        "lb=libbra/libbre/f, l=litro/litri, L=litro/litri, cl=centilitro/centilitri, dl=decilitro/decilitri, "
        "ml=millilitro/millilitri, h=ora/ore/f, min=minuto/minuti, s=secondo/secondi, sec=secondo/secondi, "
        "ms=millisecondo/millisecondi, °=grado/gradi, °C=grado Celsius/gradi Celsius, ºC=grado Celsius/gradi "
        "Celsius, °F=grado Fahrenheit/gradi Fahrenheit, W=watt, kW=kilowatt, MW=megawatt, kWh=kilowattora, "
        "V=volt, A=ampere, Hz=hertz, kHz=kilohertz, MHz=megahertz, GHz=gigahertz, KB=kilobyte, MB=megabyte, "
        "GB=gigabyte, TB=terabyte, Mbps=megabit al secondo, cal=caloria/calorie/f, "
        "kcal=chilocaloria/chilocalorie/f, dB=decibel, hPa=ettopascal, CV=cavallo/cavalli, km/h=chilometro "
        "all'ora/chilometri all'ora, ‰=per mille"
    )
    currencies = nouns(
        "EUR=euro, USD=dollaro/dollari, GBP=sterlina/sterline/f, JPY=yen, INR=rupia/rupie/f, BRL=real/reais, "
        "CHF=franco svizzero/franchi svizzeri, RUB=rublo/rubli, KRW=won, CNY=yuan, CAD=dollaro canadese/dollari "
        "canadesi, AUD=dollaro australiano/dollari australiani"
    )
    cents = nouns("EUR=centesimo/centesimi, USD=centesimo/centesimi, GBP=penny/pence")
    magnitudes = nouns(
        "milioni=milione/milioni, milione=milione/milioni, mln=milione/milioni, M=milione/milioni, miliardi=miliardo/"
        "miliardi, miliardo=miliardo/miliardi, mld=miliardo/miliardi, mila=mila, k=mila, K=mila"
    )
    abbreviations = pairs(
        "sig.=signor, sig.ra=signora, sig.na=signorina, sigg.=signori, dott.=dottor, dott.ssa=dottoressa, "
        "dr.=dottor, prof.=professor, prof.ssa=professoressa, ing.=ingegner, avv.=avvocato, arch.=architetto, "
        "on.=onorevole, geom.=geometra, rag.=ragionier, gen.=generale, p.zza=piazza, p.za=piazza, v.le=viale, "
        "c.so=corso, l.go=largo, n.=numero, nr.=numero, n°=numero, nº=numero, num.=numero, pag.=pagina, "
        "pagg.=pagine, p.=pagina, pp.=pagine, cap.=capitolo, art.=articolo, fig.=figura, vol.=volume, "
        "tel.=telefono, ecc.=eccetera, etc.=eccetera, es.=esempio, ad es.=ad esempio, p. es.=per esempio, a. "
        "C.=avanti Cristo, d. C.=dopo Cristo, cfr.=confronta, ca.=circa, max.=massimo, min.=minimo, S. p. "
        "A.=società per azioni, S. r. l.=società a responsabilità limitata, spett.=spettabile, "
        "gent.mo=gentilissimo, gent.ma=gentilissima, egr.=egregio, vs.=versus, vs=versus, tab.=tabella, "
        "sec.=secolo, ss.=santi"
    )
    signs = pairs(
        "%=per cento, &=e, +=più, ==uguale, @=chiocciola, ×=per, *=per, ÷=diviso, #=cancelletto, №=numero, €=euro, "
        "$=dollari, £=sterline, ₹=rupie, °=gradi, ²=al quadrato, ³=al cubo, √=radice quadrata di, <=minore di, "
        ">=maggiore di, ≤=minore o uguale a, ≥=maggiore o uguale a, ≠=diverso da, ±=più o meno, ≈=circa, ^=elevato a, "
        "§=paragrafo, ©=copyright, ®=marchio registrato, ∞=infinito, π=pi greco, →=a, /=barra, -=trattino, "
        "_=trattino basso, −=meno, |=, ~=circa, ‰=per mille, ?=punto interrogativo"
    )
    labels = frozenset(
        "pagina pagine capitolo numero articolo sezione figura tabella parte tomo canale sala stanza linea "
        "livello gruppo fase legge domanda esercizio passo unità lezione volume allegato nota opzione versione "
        "porta piano scena atto anno secolo secoli stagione episodio via binario ore formula".split()
    )
    not_nouns = frozenset(
        "di del della dei e o a al alla in con per che è sono era su da dal come senza tra fra più meno si non né "
        "il lo la i gli le un una nel nella nei quando dove ma anche dopo prima ieri oggi domani ogni".split()
    )
    spelled = frozenset("IA FBI CIA UE USA DNA PC TV SMS PDF HTML URL USB GPS CD DVD BMW CGIL CISL".split())
    names = frozenset("RAI ONU NATO NASA FIAT UEFA FIFA UNESCO IVA IL LA DI UN SI NO MI TI CI".split())
    spoken_domains = frozenset({"it"})
    phone = r"3\d{2}[ .-]\d{3}[ .-]\d{4}|3\d{2}[ .-]\d{6,7}"
    hours = r"h"

    def gender(self, noun: str, number: int) -> str:
        if number != 1:
            return ""
        word = noun.lower()
        feminine = word in FEMININE_WORDS or (
            word.endswith(("a", "zione", "sione", "tà", "tù")) and word not in MASCULINE
        )
        if feminine:
            return "un'" if word[:1] in "aeiou" else "una"
        return "uno" if word.startswith(IMPURE) else "un"

    def cardinal(self, number: int, gender: str = "") -> str:
        if number == 1 and gender and not gender.startswith("1"):
            return {"m": "un", "f": "una"}.get(gender, gender)
        return super().cardinal(number, gender)

    def quantity(self, number: Numeral, noun: Noun) -> str:
        if number.is_one and noun.gender == "f" and noun.one[0] in "aeiou":
            return "un'"
        return self.number(number, noun.gender)

    def day(self, day: int) -> str:
        return "primo" if day == 1 else self.cardinal(day)

    def date(self, day: int, month: int, year: int | None, before: str) -> str:
        said = super().date(day, month, year, before)
        return said.replace("primo", "uno", 1) if before == "'" else said

    def time(self, clock: TimeOfDay) -> str:
        hour = "una" if clock.hour == 1 else self.cardinal(clock.hour)
        hour += " ore" * (clock.mark != "" and clock.hour != 1)
        return f"{hour} e {self.minute(clock.minute)}" if clock.minute else hour

    def with_cents(self, number: Numeral, noun: Noun, cents: Numeral, cent: Noun) -> str:
        return f"{self.quantity(number, noun)} {noun.of(number)} e {self.cardinal(int(cents.whole))}"

    def joined(self, magnitude: str, currency: str) -> str:
        return f"{magnitude} {currency}" if magnitude == "mila" else f"{magnitude} di {currency}"

    def rate(self, noun: str, unit: Noun) -> str:
        if unit.one[0] in "aeiou":
            return f"{noun} all'{unit.one}"
        return f"{noun} {'al' if unit.gender == 'm' else 'alla'} {unit.one}"

    def ordinal(self, number: int, suffix: str, before: str, after: str) -> str | None:
        kind = {"º": "1", "°": "1", "ª": "1f", "o": "1", "a": "1f"}.get(suffix.strip("."))
        if suffix in ("a", "o") and before not in self.articles:
            return None
        if not kind or not 0 < number < 1000:
            return None
        return self.cardinal(number, kind)

    def fraction(self, number: int, parts: int, noun: str) -> str | None:
        if parts not in PARTS:
            return f"{self.cardinal(number)} {self.over} {self.cardinal(parts)}"
        if parts == 2 and noun and noun.lower() not in self.not_nouns:
            return "mezza" if self.gender(noun, 1) in ("una", "un'") else "mezzo"
        return f"{self.cardinal(number, 'm')} {PARTS[parts][:-1] + 'i' if number > 1 else PARTS[parts]}"

    def regnal(self, number: int, before: str) -> str:
        return self.cardinal(number, "1f" if before.endswith("a") and before not in ("Papa", "Enea") else "1")

    def roman(self, number: int, before: str, after: str, suffix: str) -> str | None:
        if after in ("secolo", "sec") or suffix in ("º", "°") or before.lower() == "secolo":
            return self.cardinal(number, "1")
        return super().roman(number, before, after, suffix)
