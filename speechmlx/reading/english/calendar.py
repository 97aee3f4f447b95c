"""The names of months and days, in full and short, and the shapes that dates share."""

from __future__ import annotations

from speechmlx.reading.english.grammar import either

MONTH_NAMES = "January February March April May June July August September October November December".split()
DAY_NAMES = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = {name.lower(): name for name in MONTH_NAMES}
MONTHS |= {name[:3].lower(): name for name in MONTH_NAMES} | {"sept": "September"}
DAYS = {name.lower(): name for name in DAY_NAMES} | {name[:3].lower(): name for name in DAY_NAMES}
DAYS |= {"tues": "Tuesday", "weds": "Wednesday", "thur": "Thursday", "thurs": "Thursday"}

_FULL = either(" ".join([*MONTH_NAMES, *(m.upper() for m in MONTH_NAMES)]))
_SHORT = either(" ".join(short for m in MONTH_NAMES if m != "May" for short in (m[:3], m[:3].upper())))
MONTH = rf"(?:(?:{_FULL})|(?:Sept|SEPT|{_SHORT})\b\.?)"
"""A month as it is written with a capital; a short one with its full stop or without."""
SHORT_DAY = "Mon|Tues|Tue|Weds|Wed|Thurs|Thur|Thu|Fri|Sat|Sun"
DAY = rf"(?:{'|'.join(DAY_NAMES)}|(?:{SHORT_DAY})\b\.?)"


def month(written: str) -> str:
    """ "Sept." → "September"."""
    return MONTHS[written.rstrip(".").lower()]


def day(written: str) -> str:
    """ "Tues." → "Tuesday"."""
    return DAYS[written.rstrip(".").lower()]
