"""The load test's Job: Merit's image, pulled as the pods under test are."""

from __future__ import annotations

from typing import Any

import pytest

from merit.loadtest.order import Order
from merit.loadtest.plan import Plan
from merit.objects.load_job import load_job
from merit.objects.workload import owner_reference, pull_secrets


def pod(secrets: list[dict[str, Any]]) -> dict[str, Any]:
    made = load_job(
        job="fraud-aaaaaaaa-feasibility-123456",
        name="fraud",
        namespace="risk",
        owner=owner_reference("fraud", "uid"),
        image="example.com/tools:1",
        order=Order(Plan(10.0, 10.0, (), (100.0,)), ("http://10.0.0.1:8080",), "GET", "/"),
        revision="h1:" + "a" * 64,
        short="aaaaaaaa",
        nonce="b" * 16,
        port=8080,
        secrets=secrets,
    )
    spec: dict[str, Any] = made["spec"]["template"]["spec"]
    return spec


def test_the_generator_is_pulled_with_the_secrets_of_the_pods_under_test() -> None:
    assert pod([{"name": "registry"}])["imagePullSecrets"] == [{"name": "registry"}]
    assert "imagePullSecrets" not in pod([])


@pytest.mark.parametrize(
    ("templates", "found"),
    [
        ([{}], []),
        ([{"spec": None}], []),
        ([{"spec": {"imagePullSecrets": None}}], []),
        ([{"spec": {"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}}], [{"name": "a"}]),
    ],
)
def test_secrets_are_named_once_and_may_be_missing(
    templates: list[dict[str, Any]], found: list[dict[str, Any]]
) -> None:
    assert pull_secrets(*templates) == found
