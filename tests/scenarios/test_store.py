"""The world's API server has the properties of the real one that the operator depends on."""

from __future__ import annotations

import pytest

from merit.kube.cache import Cache
from merit.kube.errors import Conflict, Invalid
from tests.world.manifests import manifest
from tests.world.merge import Object
from tests.world.store import Store

REF = ("ModelDeployment", "risk", "fraud-scorer")
PIN = {"fromRevision": "h1:a", "toRevision": "h1:b"}


def _store() -> Store:
    store = Store(lambda: 1_800_000_000.0)
    store.apply(manifest("good"), "git")
    return store


def _pin(store: Store, manager: str = "merit", **meta: str) -> Object:
    obj = {"apiVersion": "merit.dev/v1alpha1", "kind": "ModelDeployment"}
    name = {"name": "fraud-scorer", "namespace": "risk"}
    return store.apply(obj | {"metadata": name | meta, "spec": {"rollback": PIN}}, manager)


def test_an_apply_of_others_keeps_the_pin_and_a_null_removes_it() -> None:
    store = _store()
    _pin(store)
    store.apply(manifest("better"), "git")
    assert store.objects[REF]["spec"]["rollback"] == PIN
    store.patch(REF, {"spec": {"rollback": None}}, "merit")
    assert "rollback" not in store.objects[REF]["spec"]


def test_a_field_that_an_apply_leaves_out_goes_unless_another_manager_owns_it() -> None:
    store = _store()
    _pin(store)
    _pin(store, "git-copy")
    name = {"name": "fraud-scorer", "namespace": "risk"}
    empty = {"apiVersion": "merit.dev/v1alpha1", "kind": "ModelDeployment", "metadata": name}
    store.apply(empty, "git-copy")
    assert store.objects[REF]["spec"]["rollback"] == PIN
    store.apply(empty, "merit")
    assert "rollback" not in store.objects[REF]["spec"]


def test_the_cache_reads_the_owners_of_the_pin_from_managed_fields() -> None:
    store, cache = _store(), Cache()
    _pin(store)
    cache.put("ModelDeployment", store.objects[REF])
    mine = cache.get("ModelDeployment", "risk", "fraud-scorer")
    assert mine is not None
    assert (mine["pinOurs"], mine["pinForeign"]) == (True, False)


def test_generation_moves_with_the_spec_only_and_a_write_of_nothing_makes_no_version() -> None:
    store = _store()
    first = store.objects[REF]["metadata"]
    store.patch(REF, {"status": {"phase": "Live"}}, "merit", "status")
    store.patch(REF, {"metadata": {"annotations": {"a": "b"}}}, "somebody")
    assert store.objects[REF]["metadata"]["generation"] == first["generation"] == 1
    version = store.version
    store.apply(manifest("good"), "git")
    store.patch(REF, {"status": {"phase": "Live"}}, "merit", "status")
    assert store.version == version
    _pin(store)
    assert store.objects[REF]["metadata"]["generation"] == 2


def test_a_stale_version_is_a_conflict_and_another_uid_is_never_written_to() -> None:
    store = _store()
    with pytest.raises(Conflict):
        _pin(store, resourceVersion="1")
    with pytest.raises(Invalid):
        _pin(store, uid="another")
    with pytest.raises(Conflict):
        store.delete(REF, "merit", uid="another")
    store.delete(REF, "git")
    with pytest.raises(Conflict):
        _pin(store, uid="gone")
    assert REF not in store.objects


def test_the_main_resource_cannot_touch_status_nor_status_the_spec() -> None:
    store = _store()
    store.patch(REF, {"status": {"phase": "Live"}, "spec": {"paused": True}}, "merit", "status")
    store.patch(REF, {"status": {"phase": "Gone"}}, "merit")
    assert store.objects[REF]["status"]["phase"] == "Live"
    assert "paused" not in store.objects[REF]["spec"]
