"""Mandarin Chinese: numbers, dates, times, money and measures in Han characters."""

from __future__ import annotations

import re

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

TELEPHONE = "零幺二三四五六七八九"
LIANG = (
    "个個位只隻本条條张張次天年小分块塊元米公千克吨噸升种種件家名岁歲周週星瓶杯碗斤双雙对對辆輛台座栋棟间"
    "間把支枝头頭匹句页頁遍场場点點秒人层層万萬亿億美欧毫厘平立度步份套排根颗顆朵片筆笔项項"
)
"""The first characters of what is counted by 两 and not by 二."""
NOT_LIANG = re.compile("年级|年級|分之|分球|点[一二三四五六七八九零]|号|月|日|千克力")
UNITS = pairs(
    "km=公里, m=米, cm=厘米, mm=毫米, km²=平方公里, m²=平方米, ㎡=平方米, m2=平方米, km2=平方公里, "
    "m³=立方米, m3=立方米, kg=千克, KG=千克, Kg=千克, g=克, mg=毫克, t=吨, L=升, l=升, mL=毫升, ml=毫升, "
    "h=小时, min=分钟, s=秒, ms=毫秒, ℃=摄氏度, °C=摄氏度, ℉=华氏度, °F=华氏度, °=度, km/h=公里每小时, "
    "m/s=米每秒, W=瓦, kW=千瓦, MW=兆瓦, kWh=千瓦时, V=伏, mAh=毫安时, Hz=赫兹, kHz=千赫, MHz=兆赫, "
    "GHz=吉赫, dB=分贝, hPa=百帕, kcal=千卡"
)
MONEY = pairs(
    "¥=元, ￥=元, $=美元, US$=美元, €=欧元, £=英镑, HK$=港元, NT$=新台币, ₩=韩元, ₽=卢布, ₹=卢比, CNY=元, "
    "RMB=元, USD=美元, EUR=欧元, GBP=英镑, JPY=日元, HKD=港元, TWD=新台币"
)
SIGNS = pairs(
    "+=加, ==等于, ×=乘, *=乘, ÷=除以, %=百分号, &=和, @=艾特, #=井号, °=度, ℃=摄氏度, ≈=约等于, ≠=不等于, "
    "<=小于, >=大于, ≤=小于等于, ≥=大于等于, ±=正负, √=根号, ²=的平方, ³=的立方, π=派, ∞=无穷大, €=欧元, £=英镑, "
    "$=美元, ¥=元, ￥=元, −=减, _=下划线, /=斜杠, -=杠"
)
SCORED = re.compile("比分|战平|领先|落后|战胜|击败|大胜|险胜|取胜|不敌|获胜|比$|以$")
DIALLED = re.compile("(?:拨打|请拨|打|电话|热线|呼叫|致电|客服|报警|手机|传真|号码|撥打|電話)[是为：:号\\s]{0,3}$")
CODE = re.compile(
    "(?:密码|验证码|口令|编号|代码|邮编|账号|帐号|学号|工号|卡号|单号|房号|車牌|车牌号?)[是为：:\\s]{0,3}$"
)
_AREA = r"[(（]?0\d{2,3}[)）]?[ -]?\d{3,4}[ -]?\d{4}"
ENDS = "月日号年点时分度元个米岁楼章页条周"
"""What the first number of a range may end with: 3月-5月."""
PHONE = rf"(?:\+\d{{1,3}}[ -]?)?(?:1[3-9]\d[ -]?\d{{4}}[ -]?\d{{4}}|{_AREA}|[48]00[ -]?\d{{3}}[ -]?\d{{4}})(?!\d)"


def number(text: str, counted: str = "", ordinal: bool = False) -> str:
    """The words of a number, which counts what begins with `counted`."""
    whole, fraction = split(text)
    if len(whole) > MAX_DIGITS or (len(whole) > 1 and whole[0] == "0"):
        return one_by_one(whole) + (f"点{one_by_one(fraction)}" if fraction else "")
    value = int(whole)
    if fraction:
        return f"{numeral(value)}点{one_by_one(fraction)}"
    if value == 2 and not ordinal and counted[:1] in LIANG and counted and not NOT_LIANG.match(counted):
        return "两"
    said = numeral(value)
    return re.sub("^二(?=[千万亿])", "两", said) if value != 2 else said


def _after(m: re.Match[str], here: Here) -> str:
    return here.text[m.end() : m.end() + 4]


def _number(m: re.Match[str], here: Here) -> str:
    before = here.before()
    if DIALLED.search(before) and "." not in m[0] and len(m[0]) > 2:
        return one_by_one(digits(m[0]), TELEPHONE)
    if CODE.search(before) and "." not in m[0]:
        return one_by_one(digits(m[0]))
    return number(m[0], _after(m, here).lstrip(), before.endswith("第"))


def _negative(m: re.Match[str], here: Here) -> str | None:
    minus = "减" if "=" in here.text[m.end() : m.end() + 20] and re.search(r"[\d)）]\s?$", here.before()) else "负"
    before = here.before()[-1:]
    if minus == "负" and before and (before in ENDS or (before.isascii() and before.isalnum())):
        return None
    return f"{minus}{number(m['a'])}"


def _range(m: re.Match[str], here: Here) -> str | None:
    after = _after(m, here)
    if "=" in here.text[m.end() : m.end() + 12]:
        return f"{number(m['a'])}减{number(m['b'])}"
    if after.startswith(("年", "学年", "赛季", "财年")) and len(m["a"]) == 4 and len(m["b"]) == 4:
        return f"{one_by_one(m['a'])}到{one_by_one(m['b'])}"
    if SCORED.search(here.before()):
        return f"{number(m['a'])}比{number(m['b'])}"
    return f"{number(m['a'], after)}到{number(m['b'], after)}"


def _year(m: re.Match[str], here: Here) -> str | None:
    year = digits(m[0])
    if len(year) == 2 and not (year[0] in "06789" and year != "60"):
        return None
    return one_by_one(year)


def _decade(m: re.Match[str], here: Here) -> str:
    year = digits(m["y"])
    if m["what"] == "后" or len(year) == 4:
        return one_by_one(year)
    return numeral(int(year)) if int(year) else "零零"


def _date(m: re.Match[str], here: Here) -> str | None:
    return f"{one_by_one(m['y'])}年{numeral(int(m['m']))}月{numeral(int(m['d']))}日" if int(m["d"]) else None


def clock(hour: str, minute: str, second: str | None) -> str:
    said = f"{'两' if int(hour) == 2 else numeral(int(hour))}点"
    if int(minute) or second:
        said += f"{'零' if minute[0] == '0' and int(minute) else ''}{numeral(int(minute))}分"
    return f"{said}{numeral(int(second))}秒" if second else said


def _time(m: re.Match[str], here: Here) -> str | None:
    return None if SCORED.search(here.before()) else clock(m["h"], m["min"], m["s"])


def _times(m: re.Match[str], here: Here) -> str:
    return f"{clock(m['h'], m['min'], None)}到{clock(m['h2'], m['min2'], None)}"


def _ratio(m: re.Match[str], here: Here) -> str:
    return f"{number(m['a'])}比{number(m['b'])}"


def _percent(m: re.Match[str], here: Here) -> str:
    part = "千分之" if m["sign"] in "‰" else "百分之"
    first = f"{'负' if m['minus'] else ''}{part}{number(m['a'])}"
    return f"{first}到{part}{number(m['b'])}" if m["b"] else first


def _measure(m: re.Match[str], here: Here) -> str:
    unit = UNITS[m["unit"]]
    if here.before().endswith("时速"):
        unit = unit.removesuffix("每小时")
    minus = "零下" if unit in ("摄氏度", "华氏度", "度") else "负"
    first = f"{minus if m['minus'] else ''}{number(m['a'], unit)}"
    return f"{first}到{minus if m['below'] else ''}{number(m['b'], unit)}{unit}" if m["b"] else first + unit


def _money(m: re.Match[str], here: Here) -> str:
    symbol = m["symbol"]
    unit, scale = MONEY[symbol], m["scale"] or ""
    amount = re.sub(r"\.00?$", "", m["a"])
    amount = re.sub(r"(\.\d)0$", r"\1", amount)
    first = number(amount, scale or unit)
    if m["b"]:
        first += f"到{number(m['b'], scale or unit)}"
    return f"{'负' if m['minus'] else ''}{first}{scale}{unit}"


def _fraction(m: re.Match[str], here: Here) -> str | None:
    return f"{numeral(int(m['d']))}分之{numeral(int(m['n']))}" if int(m["d"]) and m["d"][0] != "0" else None


def _phone(m: re.Match[str], here: Here) -> str:
    said = " , ".join(one_by_one(digits(group), TELEPHONE) for group in re.findall(r"\d+", m[0]))
    return f"加 {said}" if m[0][0] == "+" else said


def _digits(m: re.Match[str], here: Here) -> str:
    return one_by_one(digits(m[0]))


def _version(m: re.Match[str], here: Here) -> str:
    return "点".join(number(part) for part in m[0].split("."))


def _mixed(m: re.Match[str], here: Here) -> str:
    """Letters and digits in one word: "A4", "5G", "CA1234"."""
    said = []
    for part in re.findall(r"[A-Za-z]+|\d+", m[0]):
        if part.isdecimal():
            said.append(one_by_one(digits(part)) if len(part) > 2 else number(part))
        else:
            said.append(letters(part) if part.isupper() or len(part) == 1 else part)
    return " ".join(said)


def _sign(m: re.Match[str], here: Here) -> str:
    before = here.before()
    if m[0] == "/" and before[-1:] in "元块人次币镑度米克":
        return "每"
    if m[0] == "+" and not re.search(r"[\w)）]\s?$", before):
        return "正"
    return SIGNS[m[0]] if m[0] not in "-/_" else ""


def rules() -> list[Recogniser[None]]:
    """The recognisers of Chinese, in the order that decides between matches of one length."""
    minus, span = (
        r"(?P<minus>(?<![A-Za-z0-9])[-−])?",
        rf"(?P<a>{NUMBER})(?:(?:%|℃|°C|°)?\s?{TO}\s?(?P<below>-)?(?P<b>{NUMBER}))?",
    )
    symbols, scale = either(MONEY), "(?P<scale>[万亿千百]{1,2})?"
    signs = "".join(dict.fromkeys(c[0] for c in MONEY if not c[0].isalpha()))
    names = SIGNS | dict(zip("0123456789", TELEPHONE, strict=True))
    return [
        rule("web", "a0", rf"{ADDRESS}(?![\w])", address("点", "艾特", names)),
        rule("telephone", "0+(（", PHONE, _phone),
        rule("date", "0", YEAR_FIRST, _date),
        rule("year", "0", r"(?P<y>\d{4})(?=年(?!级))|(?P<y2>(?:19|20)\d\d)(?=学年|赛季|财年|届|款)", _year),
        rule("year", "0", r"(?P<y>\d\d)(?=年(?!级|代|前|后|来|间|内|以))", _year),
        rule("year", "0", r"(?P<y>\d\d|\d{4})(?=(?P<what>后|年代))", _decade),
        rule("time", "0", CLOCK.format(""), _time),
        rule("time", "0", rf"{CLOCK.format('')}\s?{TO}\s?{CLOCK.format('2')}", _times),
        rule("score", "0", SCORE, _ratio),
        rule("percent", "0-−", rf"{minus}{span}\s?(?P<sign>[%‰])", _percent),
        rule("measure", "0-−", rf"{minus}{span}\s?(?P<unit>{either(UNITS)})(?![A-Za-z\d])", _measure),
        rule("money", f"a-−{signs}", rf"{minus}(?P<symbol>{symbols})\s?{span}{scale}", _money),
        rule("money", "0-−", rf"{minus}{span}{scale}\s?(?P<symbol>{symbols})(?![A-Za-z])", _money),
        rule("fraction", "0", FRACTION, _fraction),
        rule("version", "0", VERSION, _version),
        rule("code", "0", rf"\d{{1,6}}(?:[{DASH}]\d{{1,6}}){{2,6}}(?!\d)", _digits),
        rule("room", "0", r"\d{3,4}(?=室|房|路|教室|宿舍|次列车|航班|国道)", _digits),
        rule("range", "0", rf"(?P<a>{NUMBER})\s?{TO}\s?(?P<b>{NUMBER})", _range),
        rule("to", "-–~～—", rf"(?<=[{ENDS}]){TO}(?=\d)", lambda m, here: "到"),
        rule("negative", "-−", rf"[-−]\s?(?P<a>{NUMBER})", _negative),
        rule("mixed", "0", r"\d{1,4}[A-Z]{1,4}(?![A-Za-z])", _mixed),
        rule("mixed", "a", r"[A-Za-z]{1,8}-?\d{1,6}(?![.\d])", _mixed),
        rule("number", "aNn#", r"(?:No\.?|NO\.?|#)\s?(?=\d)", lambda m, here: "第" if m[0][0] != "#" else "井号"),
        rule("cardinal", "0", NUMBER, _number),
        *SHARED,
        rule("sign", "".join(SIGNS), either(SIGNS), _sign),
    ]  # fmt: skip
