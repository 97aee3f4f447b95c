"""Measures, ranges, dimensions, angles."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("5-10 kg", "five to ten kilograms"),
    ("5kg-10kg", "five kilograms to ten kilograms"),
    ("20%-30%", "twenty percent to thirty percent"),
    ("40–60°C", "forty to sixty degrees celsius"),
    ("-5°C", "minus five degrees celsius"),
    ("72°F", "seventy two degrees fahrenheit"),
    ("72F", "seventy two degrees fahrenheit"),
    ("180º", "one hundred eighty degrees"),
    ("5 km", "five kilometers"),
    ("1 km", "one kilometer"),
    ("0.5 kg", "zero point five kilograms"),
    ("1.0 km", "one point zero kilometers"),
    ("10 km/h", "ten kilometers per hour"),
    ("60mph", "sixty miles per hour"),
    ("9.8 m/s²", "nine point eight meters per second squared"),
    ("1.2 kg/m³", "one point two kilograms per cubic meter"),
    ("5 mg/dL", "five milligrams per deciliter"),
    ("12 sq ft", "twelve square feet"),
    ("200 sq. ft.", "two hundred square feet"),
    ("50 m2", "fifty square meters"),
    ("3 cu ft", "three cubic feet"),
    ("60fps", "sixty frames per second"),
    ("10 µg", "ten micrograms"),
    ("1/2 tsp salt", "one half teaspoon salt"),
    ("1 1/2 cups flour", "one and a half cups flour"),
    ("a 1/2 cup", "a half cup"),
    ("2-3 tbsp oil", "two to three tablespoons oil"),
    ("3 m by 4 m", "three meters by four meters"),
    ("100m race", "one hundred meter race"),
    ("a 5 km run", "a five kilometer run"),
    ("60 W bulb", "sixty watt bulb"),
    ("two 10 kg bags", "two ten kilogram bags"),
    ("5'10\"", "five foot ten"),
    ("6' tall", "six feet tall"),
    ('12" ruler', "twelve inch ruler"),
    ('3-5" of rain', "three to five inches of rain"),
    ("5 ft 10 in", "five feet ten inches"),
    ("3 in 10", "three in ten"),
    ('8.5" x 11"', "eight point five inches by eleven inches"),
    ("10×15 cm", "ten by fifteen centimeters"),
    ("1920x1080", "nineteen twenty by ten eighty"),
    ("a 2x4 board", "a two by four board"),
    ("12'x10' room", "twelve foot by ten foot room"),
    ("40.7° N", "forty point seven degrees north"),
    ("40°26′46″N", "forty degrees twenty six minutes forty six seconds north"),
    ("2.4GHz", "two point four gigahertz"),
    ("16GB", "sixteen gigabytes"),
    ("1TB", "one terabyte"),
    ("500 MB/s", "five hundred megabytes per second"),
    ("120 bpm", "one hundred twenty beats per minute"),
    ("3x a day", "three times a day"),
    ("10x faster", "ten times faster"),
    ("3x/day", "three times per day"),
    ("1234 W 5th Ave", "twelve thirty four west fifth avenue"),
    ("seat 12A", "seat twelve a"),
    ("5 lbs. 3 oz.", "five pounds three ounces"),
    ("25 bps", "twenty five basis points"),
    ("220V", "two hundred twenty volts"),
    ("It weighs 5 lb. He left.", "it weighs five pounds he left"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_measures(text: str, reading: str) -> None:
    assert said(words(text)) == reading
