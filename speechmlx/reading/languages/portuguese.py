"""Brazilian Portuguese."""

from __future__ import annotations

from speechmlx.reading.languages.language import Language, Noun, TimeOfDay, listed, nouns, numbered, pairs
from speechmlx.reading.languages.numerals import Numeral

FEMININE = ("a", "as", "ção", "ções", "são", "sões", "dade", "dades", "gem", "gens", "tude", "tudes", "ã", "ãs")
MASCULINE = frozenset(
    "dia dias mapa mapas planeta planetas problema problemas programa programas sistema sistemas".split()
)
MASCULINE |= frozenset("tema temas idioma idiomas clima poema poemas atleta artista turista".split())
FEMININE_WORDS = frozenset(
    "mulher mulheres noite noites tarde tardes parte partes vez vezes mão mãos foto fotos".split()
)
FEMININE_WORDS |= frozenset(
    "colher colheres árvore árvores ponte pontes moto motos chave chaves torre torres cidade cidades flor flores lei "
    "leis classe".split()
)
PARTS = {2: "meio", 3: "terço", 4: "quarto", 5: "quinto", 6: "sexto", 7: "sétimo", 8: "oitavo", 9: "nono", 10: "décimo"}
PARTS |= {100: "centésimo"}


class Portuguese(Language):
    code = "pt"
    decimal = ","
    comma, point, paired = "vírgula", "ponto", True
    rulesets = pairs(
        "=spellout-cardinal-masculine, m=spellout-cardinal-masculine, f=spellout-cardinal-feminine, "
        "1=spellout-ordinal-masculine, 1f=spellout-ordinal-feminine"
    )
    minus, to, over, per, of = "menos", "a", "sobre", "por", "de"
    month_of, ranks = " de ", frozenset("andar lugar grau prêmio ano dia turno".split())
    half, agrees_over_thousands = Noun("meio", "meia"), True
    millions = frozenset("milhão milhões bilhão bilhões trilhão trilhões".split())
    centuries = pairs("séc.=século, s.=século")
    articles = frozenset("a o da do na no à ao uma um".split())
    rated, duration_and = frozenset({"estrelas", "pontos"}), "e"
    weekdays = pairs("seg=segunda, ter=terça, qua=quarta, qui=quinta, sex=sexta, sáb=sábado, dom=domingo")
    months = listed("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro")
    short_months = numbered("jan.=1, fev.=2, mar.=3, abr.=4, jun.=6, jul.=7, ago.=8, set.=9, out.=10, nov.=11, dez.=12")
    units = nouns(
        "km=quilômetro/quilômetros, m=metro/metros, cm=centímetro/centímetros, mm=milímetro/milímetros, km²=quilômetro "
        "quadrado/quilômetros quadrados, m²=metro quadrado/metros quadrados, m³=metro cúbico/metros cúbicos, m2=metro "
        "quadrado/metros quadrados, km2=quilômetro quadrado/quilômetros quadrados, ha=hectare/hectares, kg=quilograma/"
        "quilogramas, g=grama/gramas, mg=miligrama/miligramas, µg=micrograma/microgramas, t=tonelada/toneladas/f, "
        "lb=libra/libras/f, l=litro/litros, L=litro/litros, cl=centilitro/centilitros, ml=mililitro/mililitros, "
        "mL=mililitro/mililitros, h=hora/horas/f, hs=hora/horas/f, min=minuto/minutos, s=segundo/segundos, seg=segundo/"
        "segundos, ms=milissegundo/milissegundos, °=grau/graus, °C=grau Celsius/graus Celsius, ºC=grau Celsius/graus "
        "Celsius, °F=grau Fahrenheit/graus Fahrenheit, W=watt/watts, kW=quilowatt/quilowatts, MW=megawatt/megawatts, "
        "kWh=quilowatt-hora/quilowatts-hora, V=volt/volts, A=ampere/amperes, Hz=hertz, kHz=quilohertz, MHz=megahertz, "
        "GHz=gigahertz, KB=quilobyte/quilobytes, MB=megabyte/megabytes, GB=gigabyte/gigabytes, TB=terabyte/terabytes, "
        "Mbps=megabit por segundo/megabits por segundo, cal=caloria/calorias/f, kcal=quilocaloria/quilocalorias/f, "
        "dB=decibel/decibéis, hPa=hectopascal/hectopascais, cv=cavalo/cavalos, ‰=por mil"
    )
    currencies = nouns(
        "BRL=real/reais, EUR=euro/euros, USD=dólar/dólares, GBP=libra/libras/f, JPY=iene/ienes, INR=rupia/rupias/f, "
        "CHF=franco suíço/francos suíços, RUB=rublo/rublos, KRW=won/wons, CNY=yuan/yuans, ARS=peso argentino/pesos "
        "argentinos, CAD=dólar canadense/dólares canadenses, AUD=dólar australiano/dólares australianos"
    )
    cents = nouns("BRL=centavo/centavos, EUR=centavo/centavos, USD=centavo/centavos, GBP=pêni/pence")
    magnitudes = nouns(
        "milhões=milhão/milhões, milhão=milhão/milhões, mi=milhão/milhões, M=milhão/milhões, bilhões=bilhão/bilhões, "
        "bilhão=bilhão/bilhões, bi=bilhão/bilhões, trilhões=trilhão/trilhões, trilhão=trilhão/trilhões, tri=trilhão/"
        "trilhões, mil=mil, k=mil, K=mil"
    )
    abbreviations = pairs(
        "Sr.=senhor, Sra.=senhora, Srs.=senhores, Sras.=senhoras, Srta.=senhorita, Dr.=doutor, Dra.=doutora, "
        "D.=dom, Prof.=professor, Profa.=professora, Prof.ª=professora, Eng.=engenheiro, Gal.=general, "
        "Cel.=coronel, Pe.=padre, Sto.=santo, Sta.=santa, Av.=avenida, R.=rua, Al.=alameda, Pça.=praça, "
        "Trav.=travessa, Rod.=rodovia, nº=número, n.º=número, n°=número, núm.=número, No.=número, pág.=página, "
        "págs.=páginas, p.=página, pp.=páginas, cap.=capítulo, art.=artigo, vol.=volume, fig.=figura, ed.=edição, "
        "tel.=telefone, etc.=et cetera, ex.=exemplo, p. ex.=por exemplo, a. C.=antes de Cristo, d. C.=depois de "
        "Cristo, ap.=apartamento, apto.=apartamento, aprox.=aproximadamente, máx.=máximo, mín.=mínimo, "
        "cia.=companhia, Ltda.=limitada, S. A.=sociedade anônima, EUA=Estados Unidos, vs.=versus, vs=versus, "
        "obs.=observação, séc.=século, hab.=habitantes, V. Exa.=vossa excelência"
    )
    signs = pairs(
        "%=por cento, &=e, +=mais, ==igual a, @=arroba, ×=vezes, *=vezes, ÷=dividido por, #=hashtag, №=número, "
        "€=euros, $=dólares, £=libras, ₹=rupias, °=graus, º=graus, ²=ao quadrado, ³=ao cubo, √=raiz quadrada de, "
        "<=menor que, >=maior que, ≤=menor ou igual a, ≥=maior ou igual a, ≠=diferente de, ±=mais ou menos, "
        "≈=aproximadamente, ^=elevado a, §=parágrafo, ©=copyright, ®=marca registrada, ∞=infinito, π=pi, →=para, "
        "/=barra, -=hífen, _=sublinhado, −=menos, |=, ~=aproximadamente, ‰=por mil, ?=interrogação"
    )
    labels = frozenset(
        "página páginas capítulo número artigo seção figura tabela parte tomo canal sala quarto linha nível grupo "
        "fase lei pergunta questão exercício passo unidade lição volume anexo nota opção versão porta andar cena "
        "ato ano século séculos séculos temporada episódio via plataforma quilômetro rua avenida".split()
    )
    not_nouns = frozenset(
        "de do da dos das e ou a ao à em no na nos nas com por para que é são era foi está como sem sobre entre "
        "desde até mais menos se não nem o os as um uma lhe seu sua seus suas quando onde mas também após hoje "
        "ontem amanhã cada".split()
    )
    spelled = frozenset("IA FBI CIA CPF CNPJ IBGE UE TV PC GPS SMS PDF HTML URL USB DNA PT PSDB MST CEO RG BMW".split())
    names = frozenset("CEP SUS ONU OTAN OVNI AIDS PIB UNESCO NASA FIFA UEFA USP SUS NÃO UM NO DE EU TU SE".split())
    phone = r"[1-9]{2}9\d{8}|\(?\d{2}\)?[ -]?9?\d{4}[ -]\d{4}|9\d{4}-\d{4}|(?!(?:19|20)\d\d-(?:19|20))[2-5]\d{3}-\d{4}"
    hours = r"horas?|hs?"

    def gender(self, noun: str, number: int) -> str:
        word = noun.lower()
        return "f" if word in FEMININE_WORDS or (word.endswith(FEMININE) and word not in MASCULINE) else "m"

    def cardinal(self, number: int, gender: str = "") -> str:
        return super().cardinal(number, gender).replace("catorze", "quatorze")

    def day(self, day: int) -> str:
        return "primeiro" if day == 1 else self.cardinal(day)

    def date(self, day: int, month: int, year: int | None, before: str) -> str:
        end = f" de {self.year(year)}" if year is not None else ""
        return f"{self.day(day)} de {self.months[month - 1]}{end}"

    def time(self, clock: TimeOfDay) -> str:
        hour = self.cardinal(clock.hour, "f")
        if clock.mark:
            hour += " hora" if clock.hour == 1 else " horas"
        return f"{hour} e {self.cardinal(clock.minute)}" if clock.minute else hour

    def with_cents(self, number: Numeral, noun: Noun, cents: Numeral, cent: Noun) -> str:
        whole = f"{self.quantity(number, noun)} {noun.of(number)} e " if number.whole != "0" else ""
        return f"{whole}{self.quantity(cents, cent)} {cent.of(cents)}"

    def joined(self, magnitude: str, currency: str) -> str:
        return f"{magnitude} {currency}" if magnitude == "mil" else f"{magnitude} de {currency}"

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
        if parts == 2:
            return "meia" if noun and noun.lower() not in self.not_nouns and self.gender(noun, 1) == "f" else "meio"
        return f"{self.cardinal(number, 'm')} {PARTS[parts]}{'s' if number > 1 else ''}"

    def regnal(self, number: int, before: str) -> str:
        feminine = before in ("Isabel", "Beatriz", "Inês", "Leonor") or (before.endswith("a") and before != "Papa")
        return self.cardinal(number, "1f" if feminine else "1") if number < 11 else self.cardinal(number)
