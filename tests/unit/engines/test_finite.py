"""What is no finite number is an error that names the stage."""

from __future__ import annotations

import numpy as np
import pytest

from speechmlx.engines.finite import NotFinite, finite, raise_first


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(NotFinite, match="the sound gave values that are not finite"):
        finite(np.array([[0.0, bad], [1.0, 2.0]], np.float32), "the sound")


def test_finite_values_pass_as_they_are() -> None:
    values = np.array([-3e38, 0.0, 3e38], np.float32)
    assert finite(values, "the sound") is values
    assert len(finite(np.zeros(0, np.float32), "the sound")) == 0


def test_the_first_error_of_a_step_is_raised() -> None:
    raise_first([[], ["an event"], []])
    with pytest.raises(NotFinite, match="first"):
        raise_first([["an event"], [NotFinite("first"), NotFinite("second")]])
