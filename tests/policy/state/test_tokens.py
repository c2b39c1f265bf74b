"""Tokens as text: any annotation is read in bounds, and a value is handled once for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from merit.api.status import Status
from merit.policy.state.tokens import HISTORY, LONGEST, VERBS, Token, acknowledged, read_tokens


@given(st.dictionaries(st.sampled_from(VERBS), st.text(max_size=400)))
def test_any_annotation_is_printable_and_bounded(given_: dict[str, str]) -> None:
    found = read_tokens({f"merit.dev/{verb}": value for verb, value in given_.items()})
    assert set(found) <= set(given_)
    for value in found.values():
        assert 0 < len(value) <= LONGEST and value.isprintable()


@given(st.lists(st.text(min_size=1, max_size=200), min_size=2, max_size=2, unique=True))
def test_two_long_values_are_never_taken_for_one(pair: list[str]) -> None:
    one, two = (read_tokens({"merit.dev/abort": f"{text}{'x' * 80}"}) for text in pair)
    assert one != two


def test_the_history_is_bounded_and_the_newest_stays() -> None:
    status = Status()
    for number in range(3 * HISTORY):
        status = acknowledged(status, Token("retry", f"7c9f11aa-{number}"))
    assert len(status.handled) == HISTORY
    assert status.last_handled == {"retry": f"7c9f11aa-{3 * HISTORY - 1}"}
    assert Token("retry", f"7c9f11aa-{3 * HISTORY - 1}").digest in status.handled
