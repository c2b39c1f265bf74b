"""The pure parts of the client: patches, errors, paths."""

from __future__ import annotations

import pytest

from merit.kube.client import merge_patch
from merit.kube.errors import ApiError, Conflict, Forbidden, Invalid, NotFound, from_reply
from merit.kube.kinds import item


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        ({}, {"phase": "Live"}, {"phase": "Live"}),
        ({"phase": "x", "next": {"at": "t"}}, {"phase": "y"}, {"phase": "y", "next": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"b": 1, "c": None}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": "word"}, {"a": "word"}),
    ],
    ids=[
        "a new key is set",
        "a key that has gone is null",
        "also inside",
        "a list is replaced whole",
        "a mapping may become a word",
    ],
)
def test_a_merge_patch_leaves_exactly_what_is_wanted(
    old: dict[str, object], new: dict[str, object], patch: dict[str, object]
) -> None:
    assert merge_patch(old, new) == patch


@pytest.mark.parametrize(
    ("code", "type_"),
    [(400, Invalid), (403, Forbidden), (404, NotFound), (409, Conflict), (422, Invalid)],
)
def test_every_refusal_has_its_type(code: int, type_: type[ApiError]) -> None:
    error = from_reply(code, b'{"reason": "Why", "message": "because"}', None, what="get /x")
    assert type(error) is type_
    assert (error.status, error.reason, error.message) == (code, "Why", "because")


def test_a_proxys_answer_is_an_error_too_and_what_it_repeats_of_the_request_is_not_kept() -> None:
    error = from_reply(429, b"<html>Authorization: Bearer s3cret</html>", "7", what="get /x")
    assert type(error) is ApiError
    assert error.retry_after == 7.0
    assert error.message == "get /x failed with HTTP 429"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("-7", 0.0),
        ("inf", None),
        ("nan", None),
        ("Fri, 1 Jan 2027 00:00:00 GMT", None),
    ],
)
def test_only_a_number_of_seconds_is_taken_from_retry_after(
    header: str, seconds: float | None
) -> None:
    assert from_reply(429, b"{}", header, what="get /x").retry_after == seconds


def test_the_path_of_an_object_follows_from_its_kind() -> None:
    assert item("v1", "Pod", "ns", "p") == "/api/v1/namespaces/ns/pods/p"
    assert item("apps/v1", "Deployment", "ns", "d") == "/apis/apps/v1/namespaces/ns/deployments/d"
    assert item("v1", "Namespace", None, "ns") == "/api/v1/namespaces/ns"
