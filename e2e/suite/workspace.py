"""A namespace of its own with one model and its customers, so that tests do not meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import yaml

from e2e.demo.client import MANIFEST, Answers, Client
from e2e.demo.kubectl import Kubectl
from e2e.demo.model import NAME, Model, Object, phase, stable, weight

SERVING, PROMOTED, ROLLED_BACK, REJECTED = 240, 600, 420, 240  # seconds until it has to be so
AFTERWARDS = 200  # answers: what traffic does after a decision belongs to the decision


class Workspace:
    """One test's model and customers. `manifest` makes a file's text fit the cluster."""

    def __init__(self, kubectl: Kubectl, manifest: Callable[[str], str], name: str) -> None:
        self.kubectl, self._manifest = kubectl, manifest
        self.namespace, self.host = f"e2e-{name}", f"{name}.example.com"
        self.model = Model(kubectl, manifest, namespace=self.namespace, host=self.host)
        self.customers = Client(kubectl, self.namespace)

    def begin(self) -> None:
        """The namespace, empty."""
        self.end()
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self.kubectl("apply", "-f", "-", given=yaml.safe_dump(namespace))

    def end(self) -> None:
        """Nothing of it stays."""
        self.kubectl(
            *("delete", "namespace", self.namespace, "--ignore-not-found", "--wait"),
            "--timeout=180s",
            patience=190,
        )

    def serve(
        self, version: str = "good", *, rate: int = 40, options: Sequence[str] = ()
    ) -> Answers:
        """The first version serves, and customers send requests from now on."""
        self.model.apply(version)
        self.live(version, SERVING)
        return self.customers.start(
            self._manifest(MANIFEST.read_text()), host=self.host, rate=rate, options=options
        )

    def traffic(self, *, rate: int = 40, options: Sequence[str] = ()) -> Answers:
        """Customers send requests from now on; begun again if they did before."""
        self.customers = Client(self.kubectl, self.namespace)
        self.kubectl(
            *("-n", self.namespace, "delete", "deployment/traffic", "--ignore-not-found"),
            *("--cascade=foreground", "--wait", "--timeout=60s"),
            patience=70,
        )
        return self.customers.start(
            self.fitted(MANIFEST.read_text()), host=self.host, rate=rate, options=options
        )

    def fitted(self, manifest: str) -> str:
        """A manifest with the names under which this cluster has the images."""
        return self._manifest(manifest)

    def live(self, version: str, seconds: float = PROMOTED) -> Object:
        """Once that version is stable, declared and alone."""
        return self.model.until(
            f"version {version} live",
            seconds,
            lambda seen: stable(seen) == version and phase(seen) == "Live",
            lambda seen: phase(seen) in ("Invalid", "Rejected", "RolledBack"),
        )

    def exposed(self, version: str, seconds: float = SERVING, least: int = 1) -> Object:
        """Once that version is a candidate with traffic."""
        return self.model.until(
            f"version {version} in canary",
            seconds,
            lambda seen: (
                weight(seen) >= least and seen["status"]["candidate"]["version"] == version
            ),
            lambda seen: phase(seen) in ("Invalid", "Rejected", "RolledBack"),
        )

    def rolled_back(self, seconds: float = ROLLED_BACK) -> Object:
        """Once the declared version is rolled back, and the pin says so."""
        return self.model.until(
            "the rollback",
            seconds,
            lambda seen: phase(seen) == "RolledBack" and "rollback" in seen["spec"],
            lambda seen: phase(seen) in ("Invalid", "Rejected", "Live"),
        )

    def rejected(self, seconds: float = REJECTED) -> Object:
        """Once a gate has said no."""
        return self.model.until(
            "the rejection",
            seconds,
            lambda seen: phase(seen) == "Rejected",
            lambda seen: phase(seen) in ("Invalid", "RolledBack") or weight(seen) > 0,
        )

    def records(self) -> set[str]:
        """The records of finished stage runs."""
        found = self.kubectl("-n", self.namespace, "get", "configmaps", "--output=name")
        return {name for name in found.split() if "-evaluation-" in name or "-feasibility-" in name}

    def record(self, name: str) -> dict[str, str]:
        """What one of them keeps."""
        found = self.kubectl.json("-n", self.namespace, "get", "configmap", name)
        return dict(found["data"])

    def settled(self) -> Answers:
        """The customers' count, a few seconds of traffic later."""
        return self.customers.after(self.customers.now(), AFTERWARDS)

    @property
    def name(self) -> str:
        """Of the object."""
        return NAME
