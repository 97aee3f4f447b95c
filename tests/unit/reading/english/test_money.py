"""Money: signs, codes, cents, magnitudes, ranges, prices before their noun."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("$3.50", "three dollars and fifty cents"),
    ("-$45", "minus forty five dollars"),
    ("+$2", "plus two dollars"),
    ("$1", "one dollar"),
    ("$0", "zero dollars"),
    ("$.99", "ninety nine cents"),
    ("$3.459/gal", "three point four five nine dollars per gallon"),
    ("$1,234.56", "one thousand two hundred thirty four dollars and fifty six cents"),
    ("$1200/month", "one thousand two hundred dollars per month"),
    ("$15/hr", "fifteen dollars per hour"),
    ("$0.99/ea", "ninety nine cents each"),
    ("$5–7 per lb", "five to seven dollars per pound"),
    ("A $5-$10 tip", "a five to ten dollar tip"),
    ("$1.5–2 million", "one point five to two million dollars"),
    ("$10k-$20k", "ten to twenty thousand dollars"),
    ("$2.50-$3", "two dollars and fifty cents to three dollars"),
    ("$100K+", "one hundred thousand dollars plus"),
    ("A $20-a-month plan", "a twenty dollar a month plan"),
    ("a $10-an-hour job", "a ten dollar an hour job"),
    ("a $5 bill", "a five dollar bill"),
    ("two $5 bills", "two five dollar bills"),
    ("the $1.2bn merger", "the one point two billion dollar merger"),
    ("It's $5 now", "it's five dollars now"),
    ("my $3.50 latte", "my three dollar and fifty cent latte"),
    ("£2.5m", "two point five million pounds"),
    ("€5,50", "five euros and fifty cents"),
    ("1.234,56 €", "one thousand two hundred thirty four euros and fifty six cents"),
    ("20 EUR", "twenty euros"),
    ("1,500 JPY", "one thousand five hundred japanese yen"),
    ("USD 50", "fifty u s dollars"),
    ("CHF 20", "twenty swiss francs"),
    ("CA$60", "sixty canadian dollars"),
    ("HK$350", "three hundred fifty hong kong dollars"),
    ("A$20", "twenty australian dollars"),
    ("R$ 50", "fifty reais"),
    ("Rs. 500", "five hundred rupees"),
    ("₹1,00,000", "one hundred thousand rupees"),
    ("₹2.5 lakh", "two point five lakh rupees"),
    ("₹5 crore", "five crore rupees"),
    ("100 kr", "one hundred kroner"),
    ("50 zł", "fifty zlotys"),
    ("¥10,000", "ten thousand yen"),
    ("₩500", "five hundred won"),
    ("₿0.5", "zero point five bitcoins"),
    ("25¢", "twenty five cents"),
    ("50-60¢", "fifty to sixty cents"),
    ("the $ sign", "the dollar sign"),
    ("$1 million", "one million dollars"),
    ("€1-2m", "one to two million euros"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_money(text: str, reading: str) -> None:
    assert said(words(text)) == reading
