"""Durations, shares and decimals are read as written, or refused with a remedy."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from merit.api.quantity import (
    InvalidValue,
    format_duration,
    format_share,
    parse_decimal,
    parse_duration,
    parse_share,
)


@pytest.mark.parametrize(
    "text, seconds",
    [("100ms", 0.1), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("168h", 604800), ("0s", 0)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "1d", "5", "-5s", "5 s", "1h\n", "99999h", "s", "٣s", 5, None]
)
def test_an_invalid_duration_is_refused(text: object) -> None:
    with pytest.raises(InvalidValue):
        parse_duration(text)


@given(millis=st.integers(0, 8760 * 3_600_000))
def test_a_formatted_duration_reads_back(millis: int) -> None:
    assert parse_duration(format_duration(millis / 1000)) == millis / 1000


@pytest.mark.parametrize("text, share", [("1%", 0.01), ("0.5%", 0.005), ("100%", 1), ("0%", 0)])
def test_a_share_is_read_and_written(text: str, share: float) -> None:
    assert parse_share(text) == share
    assert format_share(share) == text


@pytest.mark.parametrize("text", ["150%", "1", "-1%", "1 %", "NaN%", 0.01, True, None])
def test_an_invalid_share_is_refused(text: object) -> None:
    with pytest.raises(InvalidValue):
        parse_share(text)


def test_a_decimal_keeps_its_digits() -> None:
    assert parse_decimal("0.80") == Decimal("0.80")


@pytest.mark.parametrize("text", ["", "NaN", "inf", "1e9", "1,5", ".5", 0.8, 1, True])
def test_an_invalid_decimal_is_refused(text: object) -> None:
    with pytest.raises(InvalidValue):
        parse_decimal(text)
