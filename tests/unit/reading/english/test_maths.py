"""Operators, powers, roots, equations."""

from __future__ import annotations

import pytest
from support.read_aloud import said

from speechmlx.reading.english import words

ROWS = [
    ("5 * 3 = 15", "five times three equals fifteen"),
    ("5*3=15", "five times three equals fifteen"),
    ("2+2=4", "two plus two equals four"),
    ("7-3=4", "seven minus three equals four"),
    ("8 ÷ 2 = 4", "eight divided by two equals four"),
    ("2^10 = 1024", "two to the power of ten equals one thousand twenty four"),
    ("x^2", "x squared"),
    ("a²+b²=c²", "a squared plus b squared equals c squared"),
    ("10⁻⁹", "ten to the power of minus nine"),
    ("10^-3", "ten to the power of minus three"),
    ("e^x", "e to the power of x"),
    ("√16 = 4", "the square root of sixteen equals four"),
    ("∛27", "the cube root of twenty seven"),
    ("y ≠ 0", "y is not equal to zero"),
    ("x ≤ 5", "x is less than or equal to five"),
    ("x < 5", "x is less than five"),
    ("< 5", "less than five"),
    ("π ≈ 3.14", "pi is approximately three point one four"),
    ("±5", "plus or minus five"),
    ("x = -b", "x equals minus b"),
    ("1e-5", "one times ten to the power of minus five"),
    ("6.02 × 10^23", "six point zero two times ten to the power of twenty three"),
    ("2.5E+6", "two point five times ten to the power of six"),
    ("3e8 m/s", "three times ten to the power of eight meters per second"),
    ("f(x) = 2x + 1", "f of x equals two x plus one"),
    ("sin(x)", "sine of x"),
    ("E = mc²", "e equals m c squared"),
    ("F = ma", "f equals m a"),
    ("y = mx + b", "y equals m x plus b"),
    ("½mv²", "one half m v squared"),
    ("x₁ + x₂", "x one plus x two"),
    ("2 ** 3", "two to the power of three"),
    ("(a+b)/2", "a plus b over two"),
    ("A ∪ B", "a union b"),
    ("3!=6", "three factorial equals six"),
    ("a well-known x", "a well known x"),
]


@pytest.mark.parametrize(("text", "reading"), ROWS)
def test_maths(text: str, reading: str) -> None:
    assert said(words(text)) == reading
