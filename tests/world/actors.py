"""Who else works in a cluster: Deployments make pods, Jobs end, the gateway answers, garbage goes.

`settle` lets everybody work until nothing changes. Delays are read off the objects' own times, so
an actor remembers nothing and a world can be copied at any moment.
"""

from __future__ import annotations

import string
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from merit.cluster.errors import ApiError
from merit.traffic.gateway_api import announced_in, weights_of
from tests.world.evaluations import KNOWN, Ending, env
from tests.world.load import given, is_load_test, load_report, over_quota, sick
from tests.world.merge import Object, merged
from tests.world.store import Store, ref_of

POD_READY = 4.0  # seconds from creation until a pod is ready
JOB_RUNS = 10.0  # seconds an evaluation takes


class Places(Protocol):
    """Where pods run, where that matters."""

    def settle(self) -> None:
        """Everybody who has to do with nodes works once."""

    def fate(self, pod: Object) -> Object | None:
        """The status of a pod that its node keeps from what it would do; None if it does not."""


@dataclass
class Actors:
    """All of them. `due` is when the next one has something to do, infinity if nobody has."""

    store: Store
    never_ready: set[str] = field(default_factory=set)
    endings: dict[str, Sequence[Ending]] = field(default_factory=lambda: dict(KNOWN))
    ran: dict[str, list[str]] = field(default_factory=dict)
    looping: set[str] = field(default_factory=set)  # Deployments whose pods end again and again
    ailing: dict[str, tuple[int, Object]] = field(default_factory=dict)  # version: pods, status
    late: bool = False  # no Deployment that is not ready becomes so in time
    refused: str = ""  # what the gateway does not take: a "split", or even an "announcement"
    load: dict[str, int] = field(default_factory=dict)  # pods that a revision's load asks for
    places: Places | None = None  # None: pods run nowhere in particular

    def settle(self) -> float:
        """Everybody works until nothing changes; answers when the next one will."""
        while True:
            before, due = self.store.version, float("inf")
            self._collect()
            for deployment in self.store.all("Deployment"):
                due = min(due, self._deployment(deployment))
            for job in self.store.all("Job"):
                due = min(due, self._job(job))
            if self.places is not None:
                self.places.settle()
            for scaler in self.store.all("HorizontalPodAutoscaler"):
                self._autoscaler(scaler)
            for service in self.store.all("Service"):
                self._endpoints(service)
            for route in self.store.all("HTTPRoute"):
                self._gateway(route)
            if self.store.version == before:
                return due

    def _collect(self) -> None:
        uids = {obj["metadata"]["uid"] for obj in self.store.objects.values()}
        for ref, obj in list(self.store.objects.items()):
            owners = obj["metadata"].get("ownerReferences", [])
            if "deletionTimestamp" in obj["metadata"]:
                continue  # it hangs already
            if owners and not any(owner["uid"] in uids for owner in owners):
                self.store.delete(ref, "garbage-collector")

    def _deployment(self, deployment: Object) -> float:
        name, spec = deployment["metadata"]["name"], deployment["spec"]
        due, ready, stand = float("inf"), 0, 0
        lacking: Object | None = None
        version = env(spec["template"], "MERIT_MODEL_VERSION")
        loaded, refused = self._is_loaded(deployment), over_quota(version)
        for index in range(20):
            pod, free = self._pod_at(deployment, index)
            if index >= spec["replicas"] or refused:
                if pod is not None:
                    self.store.delete(ref_of(pod), "deployment-controller")
                continue
            if pod is None:
                try:
                    pod = self.store.create(_pod(deployment, spec["template"], free), "kubelet")
                except ApiError as error:
                    lacking = _failed_create(error.message)
                    continue
            stand += 1
            fate = self.places.fate(pod) if self.places is not None else None
            if fate is not None:
                self._status(pod, fate)
                continue
            at = _created(pod) + POD_READY
            if name in self.never_ready:
                continue
            if name in self.looping:
                self._status(pod, _crashed(pod))
                continue
            count, status_of_pod = self.ailing.get(version, (0, {}))
            if index < count:
                self._status(pod, status_of_pod)
                ready += any(
                    c["type"] == "Ready" and c["status"] == "True"
                    for c in status_of_pod.get("conditions", ())
                )
                continue
            ill = sick(version, loaded=loaded)
            if ill is not None:
                self._status(pod, ill)
                continue
            if self.store.now() >= at:
                ready += 1
                self._status(pod, _running(pod))
            else:
                due = min(due, at)
        status: Object = {"observedGeneration": deployment["metadata"]["generation"]}
        counts = {"replicas": stand, "updatedReplicas": stand, "readyReplicas": ready}
        counts |= {"availableReplicas": ready, "unavailableReplicas": stand - ready}
        keep = {key: value or None for key, value in counts.items()}
        available = "True" if ready == stand else "False"
        status["conditions"] = [
            {"type": "Available", "status": available, "reason": "MinimumReplicas"},
            {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "status": "False"}
            if self.late and ready < stand
            else {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            *(said for said in (refused, lacking) if said),
        ]
        self._status(deployment, status | keep)
        return due

    def _pod_at(self, deployment: Object, index: int) -> tuple[Object | None, str]:
        """The living pod with that number, or None and a name that no other has.

        One that hangs on its node, or has failed there, is none any more and stays for a while.
        """
        namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        names = [f"{name}-{index}{letter}" for letter in ("", *string.ascii_lowercase)]
        pods = {called: self.store.objects.get(("Pod", namespace, called)) for called in names}
        living = next((pod for pod in pods.values() if pod is not None and _lives(pod)), None)
        return living, next(called for called, pod in pods.items() if pod is None)

    def _is_loaded(self, deployment: Object) -> bool:
        """Whether a load test of this revision runs."""
        name = deployment["metadata"]["name"]
        return any(
            is_load_test(job)
            and name.endswith(job["metadata"]["labels"]["merit.dev/candidate"])
            and not job.get("status", {}).get("conditions")
            for job in self.store.all("Job")
        )

    def _load_test(self, job: Object) -> Ending:
        meta = job["metadata"]
        name = f"{meta['labels']['merit.dev/name']}-{meta['labels']['merit.dev/candidate']}"
        arm = self.store.objects.get(("Deployment", meta["namespace"], name))
        version = env(arm["spec"]["template"], "MERIT_MODEL_VERSION") if arm else ""
        return Ending(message=load_report(version, given(job["spec"]["template"])))

    def _job(self, job: Object) -> float:
        if job.get("status", {}).get("conditions"):
            return float("inf")
        end = _created(job) + JOB_RUNS
        pod_name = job["metadata"]["name"] + "-x"
        namespace = job["metadata"]["namespace"]
        pod = self.store.objects.get(("Pod", namespace, pod_name))
        if pod is None:
            pod = self.store.create(_pod(job, job["spec"]["template"], pod_name), "kubelet")
        ending = self._load_test(job) if is_load_test(job) else self._ending(job)
        if ending.waits:
            why = {"reason": "ImagePullBackOff", "message": "manifest unknown"}
            waiting = {"name": "evaluate", "ready": False, "state": {"waiting": why}}
            self._status(pod, {"phase": "Pending", "containerStatuses": [waiting]})
            return float("inf")
        if self.store.now() < end:
            self._status(job, {"active": 1})
            return end
        at = _stamp(self.store.now())
        if "broken" in job["spec"]["template"]["spec"]["containers"][0]["image"]:
            failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
            self._status(job, {"active": None, "failed": 1, "conditions": [failed]})
            return float("inf")
        container = job["spec"]["template"]["spec"]["containers"][0]["name"]
        done = {"name": container, "ready": False, "restartCount": 0, "imageID": "sha256:e0"}
        done["state"] = {"terminated": ending.terminated(job, at)}
        phase = "Failed" if ending.exit_code else "Succeeded"
        self._status(pod, {"phase": phase, "containerStatuses": [done]})
        if not ending.pod:
            self.store.delete(ref_of(pod), "podgc")
        told = {"active": None, "completionTime": at, "conditions": ending.conditions()}
        self._status(job, told)
        return float("inf")

    def _ending(self, job: Object) -> Ending:
        """The n-th Job of a version ends as the n-th ending says, every further one as the last."""
        version = env(job["spec"]["template"], "MERIT_MODEL_VERSION")
        endings, name = self.endings.get(version, (Ending(),)), job["metadata"]["name"]
        ran = self.ran.setdefault(version, [])
        if name not in ran:
            ran.append(name)
        return endings[min(ran.index(name), len(endings) - 1)]

    def _autoscaler(self, scaler: Object) -> None:
        """As many pods as its load asks for, within its bounds; at 0 it rests."""
        meta, spec = scaler["metadata"], scaler["spec"]
        ref = ("Deployment", meta["namespace"], spec["scaleTargetRef"]["name"])
        target = self.store.objects.get(ref)
        if target is None or target["spec"]["replicas"] == 0:
            return
        asked = self.load.get(ref[2].rpartition("-")[2], spec["minReplicas"])
        wanted = min(spec["maxReplicas"], max(spec["minReplicas"], asked))
        if target["spec"]["replicas"] != wanted:
            self.store.patch(ref, {"spec": {"replicas": wanted}}, "hpa-controller", "scale")

    def _endpoints(self, service: Object) -> None:
        meta, selector = service["metadata"], service["spec"].get("selector") or {}
        term = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
        pods = list(self.store.all("Pod", meta["namespace"], term)) if selector else []
        endpoints = [
            {
                "addresses": [_address(pod)],
                "conditions": {
                    "ready": _is_ready(pod) and _lives(pod),
                    "serving": _is_ready(pod),
                },
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
            }
            for pod in pods
            if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        ]
        slice_: Object = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": meta["name"] + "-slice",
                "namespace": meta["namespace"],
                "labels": meta.get("labels", {}) | {"kubernetes.io/service-name": meta["name"]},
                "ownerReferences": [_owner(service)],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
        }
        known = self.store.objects.get(ref_of(slice_))
        if known is None:
            self.store.create(slice_, "endpointslice-controller")
        elif known["endpoints"] != endpoints:
            body = {key: slice_[key] for key in ("metadata", "endpoints")}
            self.store.patch(ref_of(slice_), body, "endpointslice-controller")

    def _gateway(self, route: Object) -> None:
        generation = route["metadata"]["generation"]
        split = sum(1 for weight in weights_of(route).values() if weight) > 1
        refused = {"split": split, "announcement": split or len(announced_in(route)) > 1}
        word = "False" if refused.get(self.refused) else "True"
        parents = [
            {
                "parentRef": parent,
                "controllerName": "example.com/gateway",
                "conditions": [
                    {"type": kind, "status": word, "reason": kind}
                    | {"observedGeneration": generation, "message": ""}
                    | {"lastTransitionTime": route["metadata"]["creationTimestamp"]}
                    for kind in ("Accepted", "ResolvedRefs")
                ],
            }
            for parent in route["spec"].get("parentRefs", [])
        ]
        self._status(route, {"parents": parents})

    def _status(self, obj: Object, status: Mapping[str, Any]) -> None:
        known = obj.get("status", {})
        if merged(known, status) != known:
            self.store.patch(ref_of(obj), {"status": dict(status)}, "actor", "status")


def _pod(owner: Object, template: Object, name: str) -> Object:
    labels = dict(template.get("metadata", {}).get("labels", {}))
    if owner["kind"] == "Job":
        labels |= {"job-name": owner["metadata"]["name"]}
        labels |= {"batch.kubernetes.io/job-name": owner["metadata"]["name"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            "annotations": dict(template.get("metadata", {}).get("annotations", {})),
            "ownerReferences": [_owner(owner)],
        },
        "spec": template["spec"],
    }


def _running(pod: Object) -> Object:
    started = _stamp(_created(pod) + POD_READY)
    return {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": started}],
        "containerStatuses": [
            {
                "name": container["name"],
                "ready": True,
                "restartCount": 0,
                "imageID": "sha256:0123",
                "state": {"running": {"startedAt": started}},
            }
            for container in pod["spec"]["containers"]
        ],
    }


def _crashed(pod: Object) -> Object:
    status = _running(pod)
    status["conditions"][0]["status"] = "False"
    for container in status["containerStatuses"]:
        container |= {"ready": False, "restartCount": 3}
        container["state"] = {"waiting": {"reason": "CrashLoopBackOff"}, "running": None}
        container["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    return status


def _failed_create(message: str) -> Object:
    """What a Deployment says when its pods are refused, with the API server's own sentence."""
    said = {"reason": "FailedCreate", "message": message}
    return {"type": "ReplicaFailure", "status": "True"} | said


def _lives(pod: Object) -> bool:
    """Whether its Deployment counts on it."""
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not ended and "deletionTimestamp" not in pod["metadata"]


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _address(pod: Object) -> str:
    number = zlib.crc32(pod["metadata"]["name"].encode())
    return f"10.88.{number % 251}.{number // 251 % 251}"


def _owner(obj: Object) -> Object:
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
    }


def _created(obj: Object) -> float:
    stamp = obj["metadata"]["creationTimestamp"].replace("Z", "+00:00")
    return datetime.fromisoformat(stamp).timestamp()


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
