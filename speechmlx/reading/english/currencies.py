"""The currencies of the world's everyday texts: signs and codes, with the names of units and of their hundredths."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Currency:
    """Names in the singular and the plural; no hundredths where none are in use."""

    one: str
    many: str
    cent: str = ""
    cents: str = ""


def _row(row: str) -> Currency:
    return Currency(*(part.strip() for part in row.split("|")))


DOLLARS = "{0}dollar | {0}dollars | cent | cents"
_SIGNS = {
    "$": DOLLARS.format(""),
    "US$": DOLLARS.format("u s "),
    "USD$": DOLLARS.format("u s "),
    "CA$": DOLLARS.format("canadian "),
    "CAD$": DOLLARS.format("canadian "),
    "C$": DOLLARS.format("canadian "),
    "AU$": DOLLARS.format("australian "),
    "AUD$": DOLLARS.format("australian "),
    "A$": DOLLARS.format("australian "),
    "NZ$": DOLLARS.format("new zealand "),
    "HK$": DOLLARS.format("hong kong "),
    "S$": DOLLARS.format("singapore "),
    "SG$": DOLLARS.format("singapore "),
    "NT$": DOLLARS.format("new taiwan "),
    "MX$": "mexican peso | mexican pesos | centavo | centavos",
    "R$": "real | reais | centavo | centavos",
    "£": "pound | pounds | penny | pence",
    "€": "euro | euros | cent | cents",
    "¥": "yen | yen",
    "CN¥": "yuan | yuan",
    "JP¥": "yen | yen",
    "₹": "rupee | rupees | paisa | paise",
    "Rs": "rupee | rupees | paisa | paise",
    "Rs.": "rupee | rupees | paisa | paise",
    "₩": "won | won",
    "₽": "ruble | rubles | kopeck | kopecks",
    "₺": "lira | lira | kurus | kurus",
    "₫": "dong | dong",
    "₪": "shekel | shekels | agora | agorot",
    "₦": "naira | naira | kobo | kobo",
    "฿": "baht | baht | satang | satang",
    "₱": "peso | pesos | centavo | centavos",
    "₴": "hryvnia | hryvnias | kopiyka | kopiykas",
    "₡": "colon | colones",
    "₲": "guarani | guaranis",
    "₵": "cedi | cedis",
    "₸": "tenge | tenge",
    "₿": "bitcoin | bitcoins",
    "₮": "tugrik | tugriks",
    "₭": "kip | kip",
    "zł": "zloty | zlotys | grosz | groszy",
    "kr": "krone | kroner",
    "Kč": "koruna | korunas",
    "Ft": "forint | forints",
    "元": "yuan | yuan",
    "円": "yen | yen",
}
_CODES = {
    "USD": DOLLARS.format("u s "),
    "CAD": DOLLARS.format("canadian "),
    "AUD": DOLLARS.format("australian "),
    "NZD": DOLLARS.format("new zealand "),
    "HKD": DOLLARS.format("hong kong "),
    "SGD": DOLLARS.format("singapore "),
    "TWD": DOLLARS.format("new taiwan "),
    "EUR": _SIGNS["€"],
    "GBP": "british pound | british pounds | penny | pence",
    "JPY": "japanese yen | japanese yen",
    "CNY": "chinese yuan | chinese yuan",
    "RMB": "renminbi | renminbi",
    "INR": "indian rupee | indian rupees | paisa | paise",
    "CHF": "swiss franc | swiss francs | centime | centimes",
    "SEK": "swedish krona | swedish kronor",
    "NOK": "norwegian krone | norwegian kroner",
    "DKK": "danish krone | danish kroner",
    "KRW": "korean won | korean won",
    "RUB": "russian ruble | russian rubles",
    "BRL": "brazilian real | brazilian reais",
    "MXN": "mexican peso | mexican pesos",
    "ZAR": "south african rand | south african rand",
    "PLN": "polish zloty | polish zlotys",
    "CZK": "czech koruna | czech korunas",
    "HUF": "hungarian forint | hungarian forints",
    "THB": "thai baht | thai baht",
    "ILS": "israeli shekel | israeli shekels",
    "AED": "emirati dirham | emirati dirhams",
    "SAR": "saudi riyal | saudi riyals",
    "BTC": "bitcoin | bitcoins",
    "ETH": "ether | ether",
}
SIGNS = {sign: _row(row) for sign, row in _SIGNS.items()}
CODES = {code: _row(row) for code, row in _CODES.items()}
CURRENCIES = SIGNS | CODES
AFTER = "€ £ $ ¥ ₹ ₩ ₽ ₺ ₫ ₪ ₦ ฿ ₱ ₴ ₸ ₿ zł kr Kč Ft 元 円"
"""Signs that may stand behind the amount."""
MAGNITUDES = {
    "k": "thousand",
    "m": "million",
    "mm": "million",
    "mn": "million",
    "mio": "million",
    "mil": "million",
    "bn": "billion",
    "b": "billion",
    "tn": "trillion",
    "trn": "trillion",
    "t": "trillion",
    "cr": "crore",
} | {word: word for word in "hundred thousand million billion trillion quadrillion lakh crore grand".split()}
CENTS = {"¢": ("cent", "cents"), "c": ("cent", "cents"), "p": ("penny", "pence")}
