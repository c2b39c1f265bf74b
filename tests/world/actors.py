"""The controllers of the cluster: Deployments, Jobs, autoscalers, endpoints, gateway, collector.

`settle` runs all of them until nothing changes. Delays are computed from the objects' own
timestamps, so the actors keep no state of their own and a world can be copied at any moment.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from merit.kube.errors import ApiError
from merit.traffic.gateway_api import announced_in, weights_of
from tests.world import pods
from tests.world.evaluations import BY_VERSION, Ending, env
from tests.world.load_tests import (
    environment,
    is_load_test,
    load_report,
    quota_exceeded,
    unhealthy_status,
)
from tests.world.merge import Object, merged
from tests.world.store import Store, ref_of

JOB_DURATION = 10.0  # seconds that a Job takes


class PodPlacement(Protocol):
    """The nodes that pods run on, for tests in which that matters."""

    def settle(self) -> None:
        """Run the scheduler, the kubelets and the node controllers once."""

    def status_on_node(self, pod: Object) -> Object | None:
        """The status that the node forces on a pod; None if the node leaves it alone."""


@dataclass
class Actors:
    """All controllers, and the faults that a test injects into them.

    `pod_status`: per version, how many of its pods have which status instead of their own.
    `crash_looping`: Deployments whose pods all crash. `deadline_exceeded`: Deployments that are not
    ready report ProgressDeadlineExceeded. `gateway_refuses`: routes that the gateway does not
    accept: those with a "split", or even those with an "announcement". `load_replicas`: per
    revision, the replicas that its autoscaler wants. `job_runs`: per version, the names of its
    evaluation Jobs in order. `placement`: None if pods run on no particular node.
    """

    store: Store
    endings: dict[str, Sequence[Ending]] = field(default_factory=lambda: dict(BY_VERSION))
    job_runs: dict[str, list[str]] = field(default_factory=dict)
    crash_looping: set[str] = field(default_factory=set)
    pod_status: dict[str, tuple[int, Object]] = field(default_factory=dict)
    deadline_exceeded: bool = False
    gateway_refuses: str = ""
    load_replicas: dict[str, int] = field(default_factory=dict)
    placement: PodPlacement | None = None

    def settle(self) -> float:
        """Run all controllers until nothing changes.

        Returns when the next of them has something to do, Unix seconds; infinity if none has.
        """
        while True:
            before, due = self.store.version, float("inf")
            self._collect()
            for deployment in self.store.all("Deployment"):
                due = min(due, self._deployment(deployment))
            for job in self.store.all("Job"):
                due = min(due, self._job(job))
            if self.placement is not None:
                self.placement.settle()
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
                continue  # a finalizer or its node holds it
            if owners and not any(owner["uid"] in uids for owner in owners):
                self.store.delete(ref, "garbage-collector")

    def _deployment(self, deployment: Object) -> float:
        name, spec = deployment["metadata"]["name"], deployment["spec"]
        due, ready, existing = float("inf"), 0, 0
        failed_create: Object | None = None
        version = env(spec["template"], "MERIT_MODEL_VERSION")
        loaded, over_quota = self._is_loaded(deployment), quota_exceeded(version)
        for index in range(20):
            pod, free = self._pod_at(deployment, index)
            if index >= spec["replicas"] or over_quota:
                if pod is not None:
                    self.store.delete(ref_of(pod), "deployment-controller")
                continue
            if pod is None:
                try:
                    pod = self.store.create(
                        pods.new_pod(deployment, spec["template"], free), "kubelet"
                    )
                except ApiError as error:
                    failed_create = _failed_create(error.message)
                    continue
            existing += 1
            forced = self.placement.status_on_node(pod) if self.placement is not None else None
            if forced is not None:
                self._status(pod, forced)
                continue
            at = pods.created(pod) + pods.STARTUP
            if name in self.crash_looping:
                self._status(pod, pods.crash_looping(pod))
                continue
            count, status_of_pod = self.pod_status.get(version, (0, {}))
            if index < count:
                self._status(pod, status_of_pod)
                ready += pods.is_ready({"status": status_of_pod})
                continue
            unhealthy = unhealthy_status(version, loaded=loaded)
            if unhealthy is not None:
                self._status(pod, unhealthy)
                continue
            if self.store.now() >= at:
                ready += 1
                self._status(pod, pods.running(pod))
            else:
                due = min(due, at)
        status: Object = {"observedGeneration": deployment["metadata"]["generation"]}
        counts = {"replicas": existing, "updatedReplicas": existing, "readyReplicas": ready}
        counts |= {"availableReplicas": ready, "unavailableReplicas": existing - ready}
        without_zeros = {key: value or None for key, value in counts.items()}
        available = "True" if ready == existing else "False"
        status["conditions"] = [
            {"type": "Available", "status": available, "reason": "MinimumReplicas"},
            {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "status": "False"}
            if self.deadline_exceeded and ready < existing
            else {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            *(condition for condition in (over_quota, failed_create) if condition),
        ]
        self._status(deployment, status | without_zeros)
        return due

    def _pod_at(self, deployment: Object, index: int) -> tuple[Object | None, str]:
        """The active pod with that number or None, and a name that is free for a new one.

        A pod that has failed, or that its lost node keeps from being deleted, is not active and
        may exist for a while.
        """
        namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        names = [f"{name}-{index}{letter}" for letter in ("", *string.ascii_lowercase)]
        by_name = {each: self.store.objects.get(("Pod", namespace, each)) for each in names}
        existing = (pod for pod in by_name.values() if pod is not None)
        active = next((pod for pod in existing if pods.is_active(pod)), None)
        return active, next(each for each, pod in by_name.items() if pod is None)

    def _is_loaded(self, deployment: Object) -> bool:
        """Whether a load test of this revision is running."""
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
        deployment = self.store.objects.get(("Deployment", meta["namespace"], name))
        template = deployment["spec"]["template"] if deployment else None
        version = env(template, "MERIT_MODEL_VERSION") if template else ""
        return Ending(message=load_report(version, environment(job["spec"]["template"])))

    def _job(self, job: Object) -> float:
        if job.get("status", {}).get("conditions"):
            return float("inf")
        end = pods.created(job) + JOB_DURATION
        ending = self._load_test(job) if is_load_test(job) else self._ending(job)
        if ending.stuck:
            if ending.stuck == "Suspended" and not job["spec"].get("suspend"):
                self.store.patch(ref_of(job), {"spec": {"suspend": True}}, "kueue")
            return float("inf")
        pod_name = job["metadata"]["name"] + "-x"
        namespace = job["metadata"]["namespace"]
        pod = self.store.objects.get(("Pod", namespace, pod_name))
        if pod is None:
            pod = self.store.create(pods.new_pod(job, job["spec"]["template"], pod_name), "kubelet")
        if ending.image_missing:
            why = {"reason": "ImagePullBackOff", "message": "manifest unknown"}
            waiting = {"name": "evaluate", "ready": False, "state": {"waiting": why}}
            self._status(pod, {"phase": "Pending", "containerStatuses": [waiting]})
            return float("inf")
        if self.store.now() < end:
            self._status(job, {"active": 1})
            return end
        at = pods.stamp(self.store.now())
        if "broken" in job["spec"]["template"]["spec"]["containers"][0]["image"]:
            failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
            self._status(job, {"active": None, "failed": 1, "conditions": [failed]})
            return float("inf")
        container = job["spec"]["template"]["spec"]["containers"][0]["name"]
        done = {"name": container, "ready": False, "restartCount": 0, "imageID": "sha256:e0"}
        done["state"] = {"terminated": ending.terminated(job, at)}
        phase = "Failed" if ending.exit_code else "Succeeded"
        self._status(pod, {"phase": phase, "containerStatuses": [done]})
        if not ending.pod_kept:
            self.store.delete(ref_of(pod), "podgc")
        self._status(job, {"active": None, "completionTime": at, "conditions": ending.conditions()})
        return float("inf")

    def _ending(self, job: Object) -> Ending:
        """The n-th Job of a version ends with its n-th ending, every further Job with the last."""
        version = env(job["spec"]["template"], "MERIT_MODEL_VERSION")
        endings, name = self.endings.get(version, (Ending(),)), job["metadata"]["name"]
        runs = self.job_runs.setdefault(version, [])
        if name not in runs:
            runs.append(name)
        return endings[min(runs.index(name), len(endings) - 1)]

    def _autoscaler(self, scaler: Object) -> None:
        """Scale to what the load asks for, within the bounds; a target at 0 is left alone."""
        meta, spec = scaler["metadata"], scaler["spec"]
        ref = ("Deployment", meta["namespace"], spec["scaleTargetRef"]["name"])
        target = self.store.objects.get(ref)
        if target is None or target["spec"]["replicas"] == 0:
            return
        by_load = self.load_replicas.get(ref[2].rpartition("-")[2], spec["minReplicas"])
        wanted = min(spec["maxReplicas"], max(spec["minReplicas"], by_load))
        if target["spec"]["replicas"] != wanted:
            self.store.patch(ref, {"spec": {"replicas": wanted}}, "hpa-controller", "scale")

    def _endpoints(self, service: Object) -> None:
        meta, selector = service["metadata"], service["spec"].get("selector") or {}
        term = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
        selected = list(self.store.all("Pod", meta["namespace"], term)) if selector else []
        endpoints = [
            {
                "addresses": [pods.address(pod)],
                "conditions": {
                    "ready": pods.is_ready(pod) and pods.is_active(pod),
                    "serving": pods.is_ready(pod),
                },
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
            }
            for pod in selected
            if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")
        ]
        slice_: Object = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": meta["name"] + "-slice",
                "namespace": meta["namespace"],
                "labels": meta.get("labels", {}) | {"kubernetes.io/service-name": meta["name"]},
                "ownerReferences": [pods.owner_reference(service)],
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
        accepted = "False" if refused.get(self.gateway_refuses) else "True"
        parents = [
            {
                "parentRef": parent,
                "controllerName": "example.com/gateway",
                "conditions": [
                    {"type": kind, "status": accepted, "reason": kind}
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


def _failed_create(message: str) -> Object:
    """The condition of a Deployment whose pods are refused, with the API server's message."""
    reason = {"reason": "FailedCreate", "message": message}
    return {"type": "ReplicaFailure", "status": "True"} | reason
