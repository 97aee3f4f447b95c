"""Spanish."""

from __future__ import annotations

from speechmlx.reading.languages.language import Language, Noun, TimeOfDay, listed, nouns, numbered, pairs
from speechmlx.reading.languages.numerals import Numeral

FEMININE = ("a", "as", "ción", "ciones", "sión", "siones", "dad", "dades", "tad", "tades", "tud", "ez", "veces")
MASCULINE = frozenset(
    "día días mapa mapas planeta planetas problema problemas programa programas sistema sistemas".split()
)
MASCULINE |= frozenset("tema temas idioma idiomas clima climas poema poemas atleta artista turista kilómetro".split())
FEMININE_WORDS = frozenset("mujer mujeres noche noches tarde tardes calle calles clase clases parte partes".split())
FEMININE_WORDS |= frozenset(
    "flor flores mano manos foto fotos moto motos llave llaves torre torres serie series".split()
)
PARTS = {2: "medio", 3: "tercio", 4: "cuarto", 5: "quinto", 6: "sexto", 7: "séptimo", 8: "octavo", 9: "noveno"}
PARTS |= {10: "décimo", 12: "doceavo", 16: "dieciseisavo", 100: "centésimo"}


class Spanish(Language):
    code = "es"
    decimal = ","
    comma, point, paired = "coma", "punto", True
    rulesets = pairs(
        "=spellout-numbering, m=spellout-cardinal-masculine, f=spellout-cardinal-feminine, "
        "1=spellout-ordinal-masculine, 1m=spellout-ordinal-masculine-adjective, 1f=spellout-ordinal-feminine"
    )
    minus, to, over, per, of = "menos", "a", "sobre", "por", "de"
    month_of, ranks = " de ", frozenset("piso puesto lugar grado premio año día curso".split())
    first, half = "primero", Noun("medio", "media")
    millions = frozenset({"millón", "millones", "billón", "billones"})
    centuries = pairs("s.=siglo, S.=siglo")
    articles = frozenset("la el del al las los una un".split())
    rated, duration_and = frozenset("estrellas puntos".split()), "y"
    weekdays = pairs(
        "lun=lunes, mar=martes, mié=miércoles, mie=miércoles, jue=jueves, vie=viernes, sáb=sábado, dom=domingo"
    )
    months = listed("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre")
    short_months = numbered("setiembre=9, ene.=1, feb.=2, abr.=4, ago.=8, sept.=9, oct.=10, nov.=11, dic.=12")
    units = nouns(
        "km=kilómetro/kilómetros, m=metro/metros, cm=centímetro/centímetros, mm=milímetro/milímetros, "
        "km²=kilómetro cuadrado/kilómetros cuadrados, m²=metro cuadrado/metros cuadrados, cm²=centímetro "
        "cuadrado/centímetros cuadrados, m³=metro cúbico/metros cúbicos, km2=kilómetro cuadrado/kilómetros "
        "cuadrados, m2=metro cuadrado/metros cuadrados, m3=metro cúbico/metros cúbicos, ha=hectárea/hectáreas/f, "
        "kg=kilogramo/kilogramos, g=gramo/gramos, gr=gramo/gramos, mg=miligramo/miligramos, "
        "µg=microgramo/microgramos, t=tonelada/toneladas/f, lb=libra/libras/f, oz=onza/onzas/f, l=litro/litros, "
        "L=litro/litros, cl=centilitro/centilitros, ml=mililitro/mililitros, mL=mililitro/mililitros, "
        "h=hora/horas/f, hs=hora/horas/f, min=minuto/minutos, seg=segundo/segundos, s=segundo/segundos, "
        "ms=milisegundo/milisegundos, °=grado/grados, °C=grado Celsius/grados Celsius, ºC=grado Celsius/grados "
        "Celsius, °F=grado Fahrenheit/grados Fahrenheit, W=vatio/vatios, kW=kilovatio/kilovatios, "
        "MW=megavatio/megavatios, kWh=kilovatio hora/kilovatios hora, V=voltio/voltios, A=amperio/amperios, "
        "Hz=hercio/hercios, kHz=kilohercio/kilohercios, MHz=megahercio/megahercios, GHz=gigahercio/gigahercios, "
        "KB=kilobyte/kilobytes, MB=megabyte/megabytes, GB=gigabyte/gigabytes, TB=terabyte/terabytes, Mbps=megabit "
        "por segundo/megabits por segundo, cal=caloría/calorías/f, kcal=kilocaloría/kilocalorías/f, "
        "dB=decibelio/decibelios, Pa=pascal/pascales, hPa=hectopascal/hectopascales, CV=caballo/caballos, "
        "ft=pie/pies, in=pulgada/pulgadas/f, mi=milla/millas/f, ‰=por mil/por mil"
    )
    currencies = nouns(
        "EUR=euro/euros, USD=dólar/dólares, GBP=libra/libras/f, JPY=yen/yenes, INR=rupia/rupias/f, BRL=real/reales, "
        "CHF=franco suizo/francos suizos, RUB=rublo/rublos, KRW=won/wones, MXN=peso mexicano/pesos mexicanos, ARS=peso "
        "argentino/pesos argentinos, CLP=peso chileno/pesos chilenos, COP=peso colombiano/pesos colombianos, "
        "CNY=yuan/yuanes, CAD=dólar canadiense/dólares canadienses, AUD=dólar australiano/dólares australianos"
    )
    cents = nouns("EUR=céntimo/céntimos, USD=centavo/centavos, GBP=penique/peniques, BRL=centavo/centavos")
    magnitudes = nouns(
        "millones=millón/millones, millón=millón/millones, M=millón/millones, mill.=millón/millones, mil millones=mil "
        "millones, mil=mil, mil M=mil millones, billones=billón/billones, k=mil, K=mil, MM=mil millones"
    )
    abbreviations = pairs(
        "Sr.=señor, Sra.=señora, Sres.=señores, Sras.=señoras, Srta.=señorita, Dr.=doctor, Dra.=doctora, D.=don, "
        "Dª=doña, Dña.=doña, Prof.=profesor, Profa.=profesora, Ing.=ingeniero, Lic.=licenciado, Arq.=arquitecto, "
        "Ud.=usted, Uds.=ustedes, Vd.=usted, Vds.=ustedes, Av.=avenida, Avda.=avenida, C/=calle, cda.=cucharada, "
        "cdas.=cucharadas, cdta.=cucharadita, cdtas.=cucharaditas, ext.=extensión, incl.=incluido, c/=calle, "
        "c/u=cada uno, Pza.=plaza, Pl.=plaza, P.º=paseo, Ctra.=carretera, Gral.=general, Cnel.=coronel, "
        "Cap.=capítulo, cap.=capítulo, art.=artículo, pág.=página, págs.=páginas, p.=página, pp.=páginas, "
        "vol.=volumen, fig.=figura, ed.=edición, núm.=número, nº=número, n.º=número, N.º=número, n°=número, "
        "nro.=número, No.=número, tel.=teléfono, tfno.=teléfono, etc.=etcétera, p. ej.=por ejemplo, EE. "
        "UU.=Estados Unidos, EEUU=Estados Unidos, a. C.=antes de Cristo, d. C.=después de Cristo, a. m.=a m, p. "
        "m.=p m, S. A.=sociedad anónima, aprox.=aproximadamente, máx.=máximo, mín.=mínimo, dpto.=departamento, "
        "izq.=izquierda, dcha.=derecha, Sto.=santo, Sta.=santa, Jr.=júnior, vs.=versus, vs=versus, Cía.=compañía, "
        "RR. HH.=recursos humanos, s. f.=sin fecha, ej.=ejemplo, hab.=habitantes, íd.=ídem"
    )
    signs = pairs(
        "%=por ciento, &=y, +=más, ==igual a, @=arroba, ×=por, *=por, ÷=dividido por, #=almohadilla, №=número, "
        "€=euros, $=dólares, £=libras, ₹=rupias, °=grados, º=grados, ²=al cuadrado, ³=al cubo, √=raíz cuadrada "
        "de, <=menor que, >=mayor que, ≤=menor o igual que, ≥=mayor o igual que, ≠=distinto de, ±=más menos, "
        "≈=aproximadamente, ^=elevado a, §=sección, ©=copyright, ®=registrado, ™=marca registrada, ∞=infinito, "
        "π=pi, →=a, /=barra, -=guion, _=guion bajo, −=menos, |=, *=por, ~=aproximadamente, ‰=por mil, "
        "?=interrogación"
    )
    labels = frozenset(
        "página páginas capítulo capítulos número artículo sección figura tabla parte tomo canal sala habitación "
        "planta calle línea nivel grupo fase ley pregunta ejercicio paso unidad lección volumen apartado anexo "
        "nota opción versión puerta piso escena acto kilómetro vagón andén año siglo siglos tema título temporada "
        "episodio formula ruta".split()
    )
    not_nouns = frozenset(
        "de del y e o u a al en con por para que es son era fue está están como sin sobre entre desde hasta hay tiene "
        "más menos se no ni la el los las un una lo le les su sus si ya también tras según cada hoy ayer mañana trata "
        "cuando donde pero".split()
    )
    spelled = frozenset("FBI CIA DNI NIF CIF USB EEUU ADN ARN IA UE TV PC GPS SMS PDF HTML URL".split())
    names = frozenset(
        "IVA ONU OTAN OVNI SIDA PIB PYME UNESCO NASA FIFA UEFA YA NO SI SÍ UN LA EL DE LO MI TU SU".split()
    )
    spoken_domains = frozenset({"es"})
    phone = r"[6-9]\d{2}(?:[ .-]\d{3}){2}|[6-9]\d{2}(?:[ .-]\d{2}){3}|9\d(?:[ .-]\d{3})(?:[ .-]\d{2}){2}"
    hours = r"horas|hrs\.?|hs\.?|h\.?|[aApP]\.?\s?[mM]\.|[aApP][mM]"

    def gender(self, noun: str, number: int) -> str:
        word = noun.lower()
        if word in FEMININE_WORDS:
            return "f"
        return "f" if word.endswith(FEMININE) and word not in MASCULINE and not word.endswith("ista") else "m"

    def date(self, day: int, month: int, year: int | None, before: str) -> str:
        end = f" de {self.year(year)}" if year is not None else ""
        return f"{self.day(day)} de {self.months[month - 1]}{end}"

    def time(self, clock: TimeOfDay) -> str:
        mark = clock.mark.lower().replace(".", "").replace(" ", "").replace("\u00a0", "")
        minute = f" {self.minute(clock.minute)}" if clock.minute else ""
        end = ""
        if mark == "am":
            end = " de la mañana"
        elif mark == "pm":
            end = " de la noche" if 8 <= clock.hour < 12 else " del mediodía" if clock.hour == 12 else " de la tarde"
        elif mark and not minute:
            end = " hora" if clock.hour == 1 else " horas"
        elif mark == "horas":
            end = " horas"
        second = f" y {self.cardinal(clock.second, 'm')} segundos" if clock.second is not None else ""
        return f"{self.cardinal(clock.hour, 'f')}{minute}{second}{end}"

    def with_cents(self, number: Numeral, noun: Noun, cents: Numeral, cent: Noun) -> str:
        return f"{self.quantity(number, noun)} {noun.of(number)} con {self.cardinal(int(cents.whole))}"

    def joined(self, magnitude: str, currency: str) -> str:
        return (
            f"{magnitude} de {currency}"
            if magnitude.split()[-1].startswith(("mill", "bill"))
            else f"{magnitude} {currency}"
        )

    def ordinal(self, number: int, suffix: str, before: str, after: str) -> str | None:
        masculine = dict.fromkeys(("º", "°", "o", "ero", "ro", "do", "to", "mo", "vo", "no"), "1")
        kinds = masculine | dict.fromkeys(("ª", "a", "era", "ra", "da", "ta", "ma", "va", "na"), "1f") | {"er": "1m"}
        kind = kinds.get(suffix.strip(".").lower())
        if kind is None or (suffix in ("a", "o") and before not in self.articles) or not 0 < number < 2000:
            return None
        if kind == "1" and after and after.lower() not in self.not_nouns:
            kind = "1m"
        return self.cardinal(number, kind)

    def fraction(self, number: int, parts: int, noun: str) -> str | None:
        if parts not in PARTS:
            return f"{self.cardinal(number)} {self.over} {self.cardinal(parts)}"
        counts = noun and noun.lower() not in self.not_nouns
        if parts == 2 and counts:
            return "media" if self.gender(noun, 1) == "f" else "medio"
        return f"{self.cardinal(number, 'm')} {PARTS[parts]}{'s' if number > 1 else ''}"

    def regnal(self, number: int, before: str) -> str:
        feminine = before in ("Isabel", "Beatriz", "Inés", "Leonor") or (before.endswith("a") and before != "Papa")
        return self.cardinal(number, "1f" if feminine else "1") if number < 11 else self.cardinal(number)
