"""Events: written once, limited in number, and failing nothing."""

from __future__ import annotations

from merit.kube.errors import Forbidden
from merit.kube.events import EventRecorder
from merit.policy.state.decision import Note
from tests.kube.fakes import FakeCluster

SCORER = {
    "apiVersion": "merit.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "scorer", "namespace": "ns", "uid": "u1"},
}
NOTE = Note("RolledBack", "errors 6.2% vs 0.10%", warning=True)


async def test_an_event_names_its_object_and_its_reason() -> None:
    cluster = FakeCluster()
    await EventRecorder(cluster, instance="pod-1").note(SCORER, NOTE, 1_000_000.5)
    (event,) = cluster.objects.values()
    assert event["type"] == "Warning"
    assert event["reason"] == "RolledBack"
    assert event["regarding"]["uid"] == "u1"
    assert event["eventTime"] == "1970-01-12T13:46:40.500000Z"


async def test_the_same_words_after_a_restart_are_the_same_event() -> None:
    cluster = FakeCluster()
    await EventRecorder(cluster, instance="pod-1").note(SCORER, NOTE, 1_000_010.0)
    await EventRecorder(cluster, instance="pod-2").note(SCORER, NOTE, 1_000_012.0)
    assert cluster.writes == 1


async def test_the_same_words_an_hour_later_are_a_new_event() -> None:
    cluster = FakeCluster()
    recorder = EventRecorder(cluster, instance="pod-1")
    await recorder.note(SCORER, NOTE, 1_000_010.0)
    await recorder.note(SCORER, NOTE, 1_003_610.0)
    assert cluster.writes == 2


async def test_an_object_that_flaps_gets_25_events_and_then_one_every_five_minutes() -> None:
    cluster = FakeCluster()
    recorder = EventRecorder(cluster, instance="pod-1")
    for n in range(100):
        await recorder.note(SCORER, Note("Canary", f"step {n}"), 1_000_000.0)
    assert cluster.writes == 25
    await recorder.note(SCORER, Note("Canary", "later"), 1_000_301.0)
    assert cluster.writes == 26


async def test_an_event_that_is_refused_stops_nothing() -> None:
    cluster = FakeCluster()
    cluster.failing = Forbidden(403, "Forbidden", "events is forbidden")
    await EventRecorder(cluster, instance="pod-1").note(SCORER, NOTE, 0.0)


async def test_a_long_message_is_cut_to_what_the_api_takes() -> None:
    cluster = FakeCluster()
    await EventRecorder(cluster, instance="pod-1").note(SCORER, Note("Canary", "x" * 3000), 0.0)
    (event,) = cluster.objects.values()
    assert len(event["note"]) == 1024
