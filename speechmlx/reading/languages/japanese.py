"""Japanese: numbers in kanji, and in kana where a counter changes their sound."""

from __future__ import annotations

import re

from speechmlx.reading.languages.counters import counted, spelled_out
from speechmlx.reading.languages.east_asian import (
    ADDRESS,
    CLOCK,
    FRACTION,
    MAX_DIGITS,
    NUMBER,
    SCORE,
    TO,
    VERSION,
    YEAR_FIRST,
    Here,
    address,
    numeral,
    one_by_one,
    split,
)
from speechmlx.reading.languages.east_asian import RULES as SHARED
from speechmlx.reading.languages.grammar import Recogniser, either, letters, rule
from speechmlx.reading.languages.language import pairs
from speechmlx.reading.languages.numerals import DASH, digits

SPOKEN = ("ゼロ", "イチ", "ニ", "サン", "ヨン", "ゴ", "ロク", "ナナ", "ハチ", "キュウ")
UNITS = pairs(
    "km=キロメートル, m=メートル, cm=センチメートル, mm=ミリメートル, km²=平方キロメートル, m²=平方メートル, "
    "㎡=平方メートル, m2=平方メートル, m³=立方メートル, m3=立方メートル, kg=キログラム, g=グラム, "
    "mg=ミリグラム, t=トン, L=リットル, l=リットル, mL=ミリリットル, ml=ミリリットル, min=分, h=時間, s=秒, ms=ミリ秒, "
    "℃=度, °C=度, °F=華氏度, ℉=華氏度, °=度, W=ワット, kW=キロワット, MW=メガワット, kWh=キロワット時, "
    "V=ボルト, A=アンペア, Hz=ヘルツ, kHz=キロヘルツ, MHz=メガヘルツ, GHz=ギガヘルツ, KB=キロバイト, "
    "MB=メガバイト, GB=ギガバイト, TB=テラバイト, dB=デシベル, hPa=ヘクトパスカル, kcal=キロカロリー, "
    "cal=カロリー, %=パーセント, ％=パーセント, ‰=パーミル"
)
PER_HOUR = pairs("km/h=キロメートル, m/s=メートル")
MONEY = pairs(
    "¥=円, ￥=円, $=ドル, US$=ドル, €=ユーロ, £=ポンド, ₩=ウォン, ₹=ルピー, CNY=元, JPY=円, USD=ドル, "
    "EUR=ユーロ, GBP=ポンド"
)
SIGNS = pairs(
    "+=プラス, ==イコール, ×=カケル, *=カケル, ÷=割る, %=パーセント, &=アンド, @=アットマーク, #=シャープ, "
    "°=度, ℃=度, ≈=ほぼ等しい, ≠=等しくない, <=小なり, >=大なり, ±=プラスマイナス, √=ルート, ²=の二乗, "
    "³=の三乗, π=パイ, ∞=無限大, €=ユーロ, £=ポンド, $=ドル, ¥=円, ￥=円, −=マイナス, _=アンダーバー, "
    "/=スラッシュ, -=ハイフン, 〒=郵便番号"
)
SCORED = re.compile("(?:で|に)?(?:勝|負|敗|下し|破っ|引き分け|リード|快勝|惜敗|圧勝)")
DIALLED = re.compile("(?:電話|番号|TEL|Tel|tel|携帯|ファックス|FAX|ダイヤル)[はをの：:、号\\s]{0,3}$")
ENDS = "月日時分年円人本歳個回度"
"""What the first number of a range may end with: 3月〜5月."""
PHONE = r"(?:\+81[ -]?\d{1,4}|0\d{1,4}|\(0\d{1,4}\))[ -]?\d{1,4}[ -]\d{3,4}(?!\d)|0[5789]0\d{8}(?!\d)|0120\d{6}(?!\d)"
MONTHS = {4: "シガツ", 7: "シチガツ", 9: "クガツ"}
DAYS = {1: "ツイタチ", 4: "ヨッカ", 7: "ナノカ", 14: "十ヨッカ", 17: "十シチニチ", 19: "十クニチ", 24: "二十ヨッカ"}
DAYS |= {27: "二十シチニチ", 29: "二十クニチ"}


def number(text: str) -> str:
    """The words of a number that counts nothing."""
    whole, fraction = split(text)
    if len(whole) > MAX_DIGITS or (len(whole) > 1 and whole[0] == "0"):
        return one_by_one(whole, SPOKEN) + (f"点{one_by_one(fraction)}" if fraction else "")
    return f"{numeral(int(whole), one='', zero='')}点{one_by_one(fraction)}" if fraction else _plain(int(whole))


def _plain(value: int) -> str:
    """The words of a whole number; 0 is ゼロ unless a point or 時 follows."""
    return numeral(value, one="", zero="") if value else "ゼロ"


def month(value: int) -> str:
    return MONTHS.get(value) or f"{_plain(value)}月"


def day(value: int) -> str:
    return DAYS.get(value) or f"{_plain(value)}日"


def with_unit(text: str, unit: str) -> str:
    """A number and its unit: "10", "キロメートル" → "ジュッキロメートル"."""
    whole, fraction = split(text)
    said = None if fraction or len(whole) > MAX_DIGITS else counted(int(whole), unit)
    return said or number(text) + unit


def _range(m: re.Match[str], here: Here) -> str | None:
    after = here.text[m.end() : m.end() + 12]
    if "=" in after:
        return f"{number(m['a'])}引く{number(m['b'])}"
    if SCORED.match(after):
        return f"{number(m['a'])}対{number(m['b'])}"
    counter = re.match(r"[^\W\d_A-Za-z]{1,4}", after)
    if counter:
        name = next((c for c in sorted(spelled_out, key=len, reverse=True) if counter[0].startswith(c)), "")
        if name == "年" and len(m["a"]) == 4:
            return f"{with_unit(m['a'], '年')}から{number(m['b'])}"
    return f"{number(m['a'])}から{number(m['b'])}"


def _counted(m: re.Match[str], here: Here) -> str | None:
    value, counter = digits(m["n"]), m["counter"]
    if len(value) > MAX_DIGITS or (len(value) > 1 and value[0] == "0"):
        return None
    return counted(int(value), counter)


def _day(m: re.Match[str], here: Here) -> str | None:
    value = int(m["n"])
    if not 0 < value < 32:
        return None
    if value == 1 and not re.search("月$|[/／]$", here.before()):
        return "一日"
    return day(value)


def _month(m: re.Match[str], here: Here) -> str | None:
    return month(int(m["n"])) if 0 < int(m["n"]) < 13 else None


def _date(m: re.Match[str], here: Here) -> str | None:
    return with_unit(m["y"], "年") + month(int(m["m"])) + day(int(m["d"])) if int(m["d"]) else None


def clock(hour: str, minute: str, second: str | None) -> str:
    said = with_unit(hour, "時") if int(hour) else "零時"
    if int(minute) or second:
        said += with_unit(minute, "分") if minute[0] != "0" or not int(minute) else with_unit(minute[1], "分")
    return said + (f"{_plain(int(second))}秒" if second else "")


def _time(m: re.Match[str], here: Here) -> str:
    return clock(m["h"], m["min"], m["s"])


def _times(m: re.Match[str], here: Here) -> str:
    return f"{clock(m['h'], m['min'], None)}から{clock(m['h2'], m['min2'], None)}"


def _ratio(m: re.Match[str], here: Here) -> str:
    return f"{number(m['a'])}対{number(m['b'])}"


def _measure(m: re.Match[str], here: Here) -> str:
    unit = UNITS[m["unit"]]
    last = ("マイナス" if m["below"] else "") + with_unit(m["b"] or m["a"], unit)
    first = f"{number(m['a'])}から" if m["b"] else ""
    return f"{'マイナス' if m['minus'] else ''}{first}{last}"


def _speed(m: re.Match[str], here: Here) -> str:
    return f"{'時速' if m['unit'] == 'km/h' else '秒速'}{with_unit(m['a'], PER_HOUR[m['unit']])}"


def _money(m: re.Match[str], here: Here) -> str:
    unit, scale = MONEY[m["symbol"]], m["scale"] or ""
    amount = re.sub(r"\.00?$", "", m["a"])
    first = f"{number(amount)}から" if m["b"] else ""
    last = m["b"] or amount
    return f"{'マイナス' if m['minus'] else ''}{first}{number(last) + scale + unit if scale else with_unit(last, unit)}"


def _fraction(m: re.Match[str], here: Here) -> str | None:
    return f"{_plain(int(m['d']))}分の{_plain(int(m['n']))}" if int(m["d"]) and m["d"][0] != "0" else None


def _phone(m: re.Match[str], here: Here) -> str:
    said = " , ".join(one_by_one(digits(group), SPOKEN) for group in re.findall(r"\d+", m[0]))
    return f"プラス {said}" if m[0][0] == "+" else said


def _digits(m: re.Match[str], here: Here) -> str:
    return one_by_one(digits(m[0]), SPOKEN)


def _version(m: re.Match[str], here: Here) -> str:
    return "点".join(number(part) for part in m[0].split("."))


def _number(m: re.Match[str], here: Here) -> str:
    return _digits(m, here) if DIALLED.search(here.before()) and len(m[0]) > 4 else number(m[0])


def _negative(m: re.Match[str], here: Here) -> str | None:
    before = here.before()
    minus = "引く" if "=" in here.text[m.end() : m.end() + 20] and re.search(r"[\d)）]\s?$", before) else "マイナス"
    if minus == "マイナス" and before and (before[-1] in ENDS or (before[-1].isascii() and before[-1].isalnum())):
        return None
    return f"{minus}{number(m['a'])}"


def _mixed(m: re.Match[str], here: Here) -> str:
    """Letters and digits in one word: "A4", "5G", "JL123"."""
    said = []
    for part in re.findall(r"[A-Za-z]+|\d+", m[0]):
        if part.isdecimal():
            said.append(_short(part))
        else:
            said.append(letters(part) if part.isupper() or len(part) == 1 else part)
    return " ".join(said)


def _short(text: str) -> str:
    return number(text) if len(text) < 4 and text[0] != "0" else one_by_one(digits(text), SPOKEN)


def _plus(m: re.Match[str], here: Here) -> str:
    return (
        "足す"
        if re.search(r"[\d)）]\s?$", here.before()) and re.match(r"\s?[\d(（]", here.text[m.end() :][:2])
        else "プラス"
    )


def _equals(m: re.Match[str], here: Here) -> str:
    return "イコール"


def _sign(m: re.Match[str], here: Here) -> str:
    return SIGNS[m[0]] if m[0] not in "-/_" else ""


def rules() -> list[Recogniser[None]]:
    """The recognisers of Japanese, in the order that decides between matches of one length."""
    minus, span = (
        r"(?P<minus>(?<![A-Za-z0-9])[-−])?",
        rf"(?P<a>{NUMBER})(?:(?:%|％|℃|°C|°|度)?\s?{TO}\s?(?P<below>-)?(?P<b>{NUMBER}))?",
    )
    symbols, scale = either(MONEY), "(?P<scale>[万億兆千]{1,2})?"
    names = SIGNS | dict(zip("0123456789", SPOKEN, strict=True))
    grouped = r"(?P<n>\d{1,3}(?:,\d{3}){1,4}|\d{1,16})"
    signs = "".join(dict.fromkeys(c[0] for c in MONEY if not c[0].isalpha()))
    return [
        rule("web", "a0", rf"{ADDRESS}(?![\w])", address("ドット", "アットマーク", names)),
        rule("telephone", "0+(", PHONE, _phone),
        rule("postcode", "〒", r"〒\s?\d{3}-?\d{4}", lambda m, here: f"郵便番号 {one_by_one(digits(m[0]), SPOKEN)}"),
        rule("date", "0", YEAR_FIRST, _date),
        rule("month", "0", r"(?P<n>\d{1,2})月(?!間)", _month),
        rule("day", "0", r"(?P<n>\d{1,2})日(?!間)", _day),
        rule("time", "0", CLOCK.format(""), _time),
        rule("time", "0", rf"{CLOCK.format('')}\s?{TO}\s?{CLOCK.format('2')}", _times),
        rule("score", "0", SCORE, _ratio),
        rule("measure", "0-−", rf"{minus}{span}\s?(?P<unit>{either(UNITS)})(?![A-Za-z\d])", _measure),
        rule("speed", "0", rf"(?P<a>{NUMBER})\s?(?P<unit>{either(PER_HOUR)})(?![A-Za-z])", _speed),
        rule("money", f"a-−{signs}", rf"{minus}(?P<symbol>{symbols})\s?{span}{scale}", _money),
        rule("money", "0-−", rf"{minus}{span}{scale}\s?(?P<symbol>{symbols})(?![A-Za-z])", _money),
        rule("counted", "0", rf"{grouped}(?P<counter>{either(spelled_out)})(?!の\d)", _counted),
        rule("fraction", "0", FRACTION, _fraction),
        rule("version", "0", VERSION, _version),
        rule("code", "0", rf"\d{{1,6}}(?:[{DASH}]\d{{1,6}}){{2,6}}(?!\d)", _digits),
        rule("range", "0", rf"(?P<a>{NUMBER})\s?{TO}\s?(?P<b>{NUMBER})", _range),
        rule("to", "-–~～〜", rf"(?<=[{ENDS}]){TO}(?=\d)", lambda m, here: "から"),
        rule("negative", "-−", rf"[-−]\s?(?P<a>{NUMBER})", _negative),
        rule("mixed", "0", r"\d{1,4}[A-Z]{1,4}(?![A-Za-z])", _mixed),
        rule("mixed", "a", r"[A-Za-z]{1,8}-?\d{1,6}(?![.\d])", _mixed),
        rule("number", "a#", r"(?:No\.?|NO\.?|#)\s?(?=\d)", lambda m, here: "ナンバー"),
        rule("cardinal", "0", NUMBER, _number),
        rule("plus", "+", r"\+", _plus),
        *SHARED,
        rule("sign", "".join(SIGNS), either(SIGNS), _sign),
    ]  # fmt: skip
