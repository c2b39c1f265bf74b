"""The services of the demo, side by side: where each is, and what it goes through."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from e2e.demo import client, scenarios
from e2e.demo.environment import Environment
from e2e.demo.kubectl import DemoError
from e2e.demo.model import HOST, NAMESPACE
from e2e.demo.narrator import Narrator

Scenario = Callable[[Narrator, client.Client], None]


@dataclass(frozen=True, slots=True)
class Service:
    """One service in a namespace of its own, with customers of its own.

    `steps`: what comes after its first version serves, each with its heading.
    """

    namespace: str
    host: str
    steps: Sequence[tuple[str, Scenario]]

    def begin(self, environment: Environment) -> Narrator:
        """Its first version serves. Raises DemoError, as `go_on` does, naming the namespace."""
        narrator = Narrator(
            environment.kubectl, environment.manifest, namespace=self.namespace, host=self.host
        )
        with self._named():
            narrator.heading("good: the first version serves once its evaluation passes")
            scenarios.serve(narrator)
        return narrator

    def go_on(self, environment: Environment, narrator: Narrator) -> None:
        """Customers come, and then the steps in order."""
        customers = client.Client(environment.kubectl, self.namespace)
        with self._named():
            scenarios.welcome(
                narrator, customers, environment.manifest(client.MANIFEST.read_text())
            )
            for heading, scenario in self.steps:
                narrator.heading(heading)
                scenario(narrator, customers)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except DemoError as error:
            raise DemoError(f"{self.namespace}: {error}") from error


FAILING = ("failing: accurate on its holdout, but some live payments break it", scenarios.roll_back)
QUICK = (Service(NAMESPACE, HOST, (FAILING,)),)
ALL = (
    Service(
        f"{NAMESPACE}-watch",
        "watch.example.com",
        (("leaking: earns its promotion, and turns slow when it serves", scenarios.turn),),
    ),
    Service(
        NAMESPACE,
        HOST,
        (("better: has to earn its traffic step by step", scenarios.promote), FAILING),
    ),
    Service(
        f"{NAMESPACE}-load",
        "load.example.com",
        (("slow: as accurate as any, and too expensive to serve", scenarios.too_slow),),
    ),
    Service(
        f"{NAMESPACE}-gates",
        "gates.example.com",
        (
            (
                "inaccurate: trained on labels of other rows",
                partial(scenarios.refuse, version="inaccurate", why="recall"),
            ),
            (
                "unfair: as good on the whole, but it misses the frauds of one region",
                partial(scenarios.refuse, version="unfair", why="region=north"),
            ),
        ),
    ),
)


def play(services: Sequence[Service], environment: Environment) -> None:
    """One begins after the other, and then they go on side by side.

    The first DemoError, or Ctrl-C, ends the others too.
    """
    with ThreadPoolExecutor(len(services)) as pool:
        try:
            # Begun together they would take as long, and the longest scenario would begin last.
            going = [
                pool.submit(service.go_on, environment, service.begin(environment))
                for service in services
            ]
            for done in as_completed(going):
                done.result()
        except BaseException:
            # A second Ctrl-C must not cut off the sentence that says what is left.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            environment.kubectl.stop()
            raise
