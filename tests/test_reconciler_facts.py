"""Facts from projections: whose a child is decides whether it is waited for or left alone."""

from typing import Any

from merit.reconciler.facts import of_predecessor, owned_by


def child(**owner: Any) -> dict[str, Any]:
    return {"metadata": {"name": "m-1", "ownerReferences": [owner]}}


def test_a_child_of_the_deleted_object_of_the_same_name_is_waited_for() -> None:
    old = child(kind="ModelDeployment", name="m", uid="old")
    assert of_predecessor(old, "m", "new")
    assert not owned_by(old, "new")


def test_a_child_of_another_object_or_kind_is_somebody_elses() -> None:
    assert not of_predecessor(child(kind="ModelDeployment", name="n", uid="x"), "m", "new")
    assert not of_predecessor(child(kind="Deployment", name="m", uid="x"), "m", "new")
    assert not of_predecessor({"metadata": {"name": "m-1"}}, "m", "new")


def test_our_own_child_is_not_a_predecessors() -> None:
    assert not of_predecessor(child(kind="ModelDeployment", name="m", uid="new"), "m", "new")
