"""Every recorded observation is decided again: `decide` must answer as it did then.

`codec` reads a recorded observation, `renamed` has the words that have changed since, `deliberate`
the differences that are intended.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from merit.policy.decide import decide
from tests.replay import recording
from tests.replay.codec import Codec
from tests.replay.deliberate import DELIBERATE
from tests.replay.outcome import Difference, Json, differences, encode_decision
from tests.replay.recording import Pass
from tests.replay.renamed import renamed

COMPARE_MESSAGES = False  # True: sentences count, too
SHOWN = 5  # passes of a file that a failure shows, and differences of each
WIDTH = 300  # characters of a value in a failure


@pytest.mark.parametrize("path", recording.files(), ids=lambda path: path.stem)
def test_what_was_decided_is_decided_again(path: Path) -> None:
    failures, _ = _replayed(path)
    more = f"\n... and {len(failures) - SHOWN} more" if len(failures) > SHOWN else ""
    assert not failures, f"{len(failures)} passes:\n" + "\n".join(failures[:SHOWN]) + more


def test_every_intended_difference_occurs() -> None:
    found = set[str]().union(*(_replayed(path)[1] for path in recording.files()))
    assert set(DELIBERATE.values()) - found == set()


@cache
def _codec() -> Codec:
    return Codec(recording.read_pool())


@cache
def _replayed(path: Path) -> tuple[list[str], set[str]]:
    """What is wrong with its passes, and why other differences are intended."""
    failures, intended = [], set[str]()
    for each in recording.read(path):
        wrong = []
        found, status = _differences(each)
        for difference in found:
            reasons = {why for holds, why in DELIBERATE.items() if holds(*difference, status)}
            intended |= reasons
            wrong += [] if reasons else [difference]
        if wrong:
            failures.append(_shown(each, wrong))
    return failures, intended


def _differences(each: Pass) -> tuple[list[Difference], Json]:
    """All differences of today's answer, and its status."""
    seen = _codec().decode_observed(renamed(each.seen))
    kept = json.loads(json.dumps(seen.status.to_dict()))
    lost = differences(renamed(each.seen["status"]), kept, messages=True, path="seen.status")
    found = encode_decision(decide(seen, each.now))
    changed = differences(renamed(each.decision), found, messages=COMPARE_MESSAGES)
    return [*lost, *changed], found["status"]


def _shown(each: Pass, wrong: list[Difference]) -> str:
    lines = [f"\nline {each.line}, {each.scenario}, answered by {each.by}:"]
    for path, old, new in wrong[:SHOWN]:
        values = f"    recorded {old!r:.{WIDTH}}", f"    found    {new!r:.{WIDTH}}"
        lines += [f"  {path}", *values]
    more = len(wrong) - SHOWN
    return "\n".join([*lines, *([f"  ... and {more} more differences"] if more > 0 else [])])
