"""Units of measure: how they are written, and their names in the singular and the plural."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """The names of a unit."""

    one: str
    many: str


_ROWS = """
% = percent ; percent
‰ = per mille ; per mille
° = degree
°C ° C ℃ degC = degree celsius ; degrees celsius
°F ° F ℉ degF = degree fahrenheit ; degrees fahrenheit
°K = kelvin
K = kelvin
km kms = kilometer
m = meter
cm cms = centimeter
mm = millimeter
µm um = micrometer
nm = nanometer
nmi = nautical mile
dm = decimeter
ft ft. = foot ; feet
in in. = inch ; inches
yd yd. yds yds. = yard
mi mi. = mile
ly = light year
kg kgs kg. kilos = kilogram
g gm gms gr = gram
mg = milligram
µg ug mcg = microgram
ng = nanogram
t = ton
lb lb. lbs lbs. = pound
oz oz. = ounce
st = stone ; stone
ml mL = milliliter
cl cL = centiliter
dl dL = deciliter
l L ltr = liter
µl µL ul = microliter
cc = c c ; c c
gal gal. gals = gallon
qt qt. qts = quart
pt pt. = pint
fl.oz fl.oz. floz fl_oz fl._oz. fl_oz. = fluid ounce
tsp tsp. tsps = teaspoon
tbsp tbsp. tbsps tbs tbs. Tbsp Tbsp. = tablespoon
c c. = cup
T T. = tablespoon
t. = teaspoon
ga ga. = gauge ; gauge
doz doz. = dozen ; dozen
sq_ft sq-ft sq.-ft. sq._ft. sq._ft sqft sq_ft. sf ft² ft^2 ft2 = square foot ; square feet
sq_m sq-m sq._m. sqm m² m^2 m2 = square meter
sq_km sq._km. km² km^2 km2 = square kilometer
sq_mi sq._mi. mi² mi^2 = square mile
sq_in sq._in. in² in^2 = square inch ; square inches
sq_yd sq._yd. yd² = square yard
cm² cm^2 cm2 = square centimeter
mm² mm^2 mm2 = square millimeter
m³ m^3 m3 cu_m = cubic meter
cm³ cm^3 cm3 = cubic centimeter
mm³ = cubic millimeter
km³ = cubic kilometer
ft³ ft^3 cu_ft cu._ft. cu_ft. = cubic foot ; cubic feet
in³ cu_in cu._in. = cubic inch ; cubic inches
ac ac. = acre
ha = hectare
mph MPH mi/h = mile per hour ; miles per hour
kph km/h kmh km/hr KPH kmph = kilometer per hour ; kilometers per hour
mpg MPG = mile per gallon ; miles per gallon
kt kts kn = knot
fps FPS = frame per second ; frames per second
rpm RPM = r p m ; r p m
bpm BPM = beat per minute ; beats per minute
wpm WPM = word per minute ; words per minute
dpi DPI = dots per inch ; dots per inch
ppi PPI = pixels per inch ; pixels per inch
ppm = part per million ; parts per million
ppb = part per billion ; parts per billion
B = byte
kB KB = kilobyte
MB = megabyte
GB gb Gb = gigabyte
TB = terabyte
PB = petabyte
KiB = kibibyte
MiB = mebibyte
GiB = gibibyte
TiB = tebibyte
kb Kb = kilobit
Mb = megabit
kbps Kbps kbit/s kb/s = kilobit per second ; kilobits per second
Mbps mbps Mbit/s Mb/s = megabit per second ; megabits per second
Gbps gbps Gbit/s Gb/s = gigabit per second ; gigabits per second
bps = bit per second ; bits per second
MBps = megabyte per second ; megabytes per second
GBps = gigabyte per second ; gigabytes per second
Hz = hertz ; hertz
kHz KHz khz = kilohertz ; kilohertz
MHz Mhz = megahertz ; megahertz
GHz Ghz = gigahertz ; gigahertz
THz = terahertz ; terahertz
W = watt
mW = milliwatt
kW KW = kilowatt
MW = megawatt
GW = gigawatt
Wh = watt hour
kWh kW·h KWh kwh = kilowatt hour
MWh = megawatt hour
GWh = gigawatt hour
hp HP bhp = horsepower ; horsepower
V = volt
mV = millivolt
kV = kilovolt
VAC = volts a c ; volts a c
A amp = amp
mA = milliamp
µA = microamp
mAh = milliamp hour
Ah = amp hour
Ω ohm = ohm
kΩ = kiloohm
MΩ = megaohm
µF uF = microfarad
nF = nanofarad
pF = picofarad
dB db dBA = decibel
dBm = d b m ; d b m
J = joule
kJ = kilojoule
MJ = megajoule
cal Cal = calorie
kcal = kilocalorie
N = newton
kN = kilonewton
Nm N·m = newton meter
lb-ft lb·ft = pound foot ; pound feet
ft-lb ft-lbs ft·lb = foot pound ; foot pounds
Pa = pascal
kPa = kilopascal
MPa = megapascal
hPa = hectopascal
mbar mb = millibar
bar = bar
psi PSI = p s i ; p s i
atm = atmosphere
mmHg = millimeter of mercury ; millimeters of mercury
inHg = inch of mercury ; inches of mercury
eV = electron volt
keV = kiloelectron volt
MeV = megaelectron volt
lx = lux ; lux
lm = lumen
mEq = milliequivalent
mIU = milli-international unit
pk = pack ; pack
ct = count ; count
mol = mole
mmol = millimole
IU = international unit
px = pixel
pkg pkg. pkgs = package
MP Mpx = megapixel
rad = radian
ms msec = millisecond
µs us = microsecond
ns = nanosecond
s sec sec. secs secs. = second
min min. mins mins. = minute
h hr hr. hrs hrs. = hour
d = day
wk wk. wks = week
mo mo. mos mos. = month
yr yr. yrs yrs. = year
pts pts. = point
"""


def _unit(row: str) -> Unit:
    one, _, many = row.partition(" ; ")
    return Unit(one, many or f"{one}s")


UNITS = {
    spelling.replace("_", " "): _unit(names)
    for spellings, names in (row.split(" = ") for row in _ROWS.strip().splitlines())
    for spelling in spellings.replace("° C", "°_C").replace("° F", "°_F").split()
}
EXTENTS = frozenset(
    "meter kilometer millimeter centimeter foot mile inch yard watt kilowatt volt amp degree minute hour second "
    "megapixel bit horsepower gallon acre ton hertz kilohertz megahertz gigahertz decibel watt hour milliamp hour "
    "square foot cubic foot".split()
)
"""Stand in the singular before a noun: "sixty watt bulb"."""
VESSELS = frozenset(
    "can cans jar jars bag bags box boxes package packages pack packs bottle bottles container containers glass steak "
    "steaks lens lenses pan pans carton cartons block tin tins tub tubes tube bar bars".split()
)
"""Measured by what they hold: "6 oz can"."""
BARE = (
    "ft-lbs|ft-lb|lb-ft|kW·h|N·m|kg|km|cm|mm|mg|ml|mL|lbs|ft|hrs|mins|secs|tsp|tbsp|yds|kHz|MHz|GHz|kWh|mph|kph|km/h"
    "|°C|°F|° C|° F"
)
"""Units that are read where no number stands before them."""
COOKING = frozenset("teaspoon tablespoon cup ounce pound gram pint quart".split())
"""Stand in the plural before what they measure: "two tablespoons oil"."""

_PER = {
    "s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "d": "day", "day": "day",
    "wk": "week", "week": "week", "mo": "month", "mo.": "month", "mth": "month", "month": "month", "yr": "year",
    "yr.": "year",
    "year": "year", "y": "year", "hour": "hour", "minute": "minute", "second": "second", "night": "night",
    "lb": "pound", "lb.": "pound", "oz": "ounce", "gal": "gallon", "gal.": "gallon", "ft": "foot", "in": "inch",
    "sq ft": "square foot", "sqft": "square foot", "sq. ft.": "square foot", "sf": "square foot", "ft²": "square foot",
    "sq m": "square meter", "sqm": "square meter", "m²": "square meter", "m2": "square meter", "m³": "cubic meter",
    "m3": "cubic meter", "km²": "square kilometer", "cm²": "square centimeter", "s²": "second squared",
    "s2": "second squared", "s^2": "second squared", "cm³": "cubic centimeter", "in²": "square inch",
    "kg": "kilogram", "g": "gram", "mg": "milligram", "L": "liter", "l": "liter", "dL": "deciliter",
    "dl": "deciliter", "mL": "milliliter", "ml": "milliliter", "m": "meter", "km": "kilometer", "cm": "centimeter",
    "mi": "mile", "mile": "mile", "ea": "each", "ea.": "each", "each": "each", "pp": "person", "person": "person",
    "pc": "piece",
    "piece": "piece", "unit": "unit", "user": "user", "seat": "seat", "head": "head", "kWh": "kilowatt hour",
    "MWh": "megawatt hour", "GB": "gigabyte", "MB": "megabyte", "TB": "terabyte", "bbl": "barrel", "barrel": "barrel",
    "share": "share", "ton": "ton", "t": "ton", "dozen": "dozen", "pack": "pack", "serving": "serving", "cup": "cup",
    "tbsp": "tablespoon", "tsp": "teaspoon", "yd": "yard", "qt": "quart", "mol": "mole", "°C": "degree celsius",
    "K": "kelvin", "gallon": "gallon", "pound": "pound", "ounce": "ounce", "liter": "liter", "litre": "liter",
    "kilo": "kilo", "quarter": "quarter", "game": "game", "page": "page", "word": "word", "item": "item",
    "box": "box", "bottle": "bottle", "hectare": "hectare", "ha": "hectare", "acre": "acre", "ac": "acre",
    "student": "student", "capita": "capita", "minute.": "minute", "employee": "employee", "household": "household",
    "ticket": "ticket", "week.": "week", "fl oz": "fluid ounce", "sq mi": "square mile", "m^2": "square meter",
}  # fmt: skip
_PER |= {
    written: unit.one
    for written, unit in UNITS.items()
    if written not in _PER and len(written) > 1 and " per " not in unit.one and not written.endswith(".")
}
PER = "|".join(re.escape(unit) for unit in sorted(_PER, key=len, reverse=True))
RATES = "|".join(
    re.escape(unit)
    for unit in sorted(_PER, key=len, reverse=True)
    if _PER[unit].split()[-1] in "second minute hour day week month year liter milliliter microliter deciliter".split()
)
"""What anything may be counted by: "cells/µL", "days/mo."."""
BRITISH = {"meter": "metre", "liter": "litre"}


def per_unit(unit: str, british: bool = False) -> str:
    """The words of a unit after a slash: "gal" → "gallon"."""
    return british_spelling(_PER[unit]) if british else _PER[unit]


def british_spelling(words: str) -> str:
    """ "kilometers" → "kilometres"."""
    for american, spelling in BRITISH.items():
        words = words.replace(american, spelling)
    return words
