"""The requests that a load test sent, beside those that the pods under test counted."""

from __future__ import annotations

import pytest

from merit.loadtest.counts import Counts, disagreement


@pytest.mark.parametrize(
    ("seen", "differs"),
    [
        (None, ""),
        (10_000, ""),
        (9_395, ""),
        (9_394, "9,394 requests, and 9,900 were answered well: something else answered"),
        (10_750, ""),  # two pods for a minute: probes and scrapes may be among them
        (10_751, "10,751 requests, and 10,000 were sent: somebody else sends"),
        (0, "0 requests"),
    ],
)
def test_a_difference_counts_only_beyond_all_tolerance(seen: int | None, differs: str) -> None:
    counts = Counts(sent=10_000, good=9_900, s=60.0, seen=seen)
    found = disagreement(counts, pods=2)
    assert differs in found and bool(differs) == bool(found)


def test_few_requests_are_no_difference() -> None:
    assert not disagreement(Counts(sent=8, good=8, s=1.0, seen=0), pods=1)
