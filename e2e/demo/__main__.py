"""`python -m e2e.demo [--quick]`: real models walk the whole flow on a real cluster."""

from __future__ import annotations

import argparse
import signal
import sys

from e2e.cluster.paths import ClusterError
from e2e.cluster.provider import chosen
from e2e.demo import services
from e2e.demo.environment import SCRAPE, TICK, Environment
from e2e.demo.kubectl import DemoError
from e2e.demo.model import example
from e2e.demo.output import elapsed, heading, say, waiting_times


def main() -> int:
    """0 when everything happened; 1 with a sentence when not; 130 when it was stopped."""
    parser = argparse.ArgumentParser(prog="python -m e2e.demo", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one good and one bad version only")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    environment = None
    try:
        environment = Environment(chosen())
        prepare(environment)
        play(environment, quick=asked.quick)
    except (DemoError, ClusterError) as error:
        say(f"\nFAILED: {error}")
        left(environment)
        return 1
    except KeyboardInterrupt:
        # A second Ctrl-C must not cut off the sentence that says what is left.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("\nstopped")
        left(environment)
        return 130
    return 0


def prepare(environment: Environment) -> None:
    """Everything that has to be there before the first version."""
    heading("the cluster")
    environment.cluster()
    heading("images: built once, then taken from the cache")
    environment.images()
    heading("the data plane: Gateway API, Contour with Envoy, Prometheus")
    environment.data_plane()
    heading("the operator, from its own chart")
    environment.operator()


def play(environment: Environment, *, quick: bool) -> None:
    """The services side by side, each with its own versions and customers."""
    chosen_services = services.QUICK if quick else services.ALL
    for service in chosen_services:
        environment.clean(service.namespace)
    say()
    waiting_times(example("good")["spec"]["rollout"], SCRAPE, TICK)
    if not quick:
        say("\nfour services at once, each in a namespace of its own:")
        say("   demo-watch   what turns bad after it has been promoted")
        say("   demo         how a version earns its traffic, and how a bad one loses it")
        say("   demo-load    what cannot be served within its constraints")
        say("   demo-gates   what does not pass its evaluation")
    services.play(chosen_services, environment)
    heading("how it stands")
    say("   $ kubectl get mdep --all-namespaces")
    say(environment.kubectl("get", "mdep", "--all-namespaces").rstrip())
    look, down = environment.ending()
    say(f"\nAll of it happened, in {elapsed()}. Everything is still running, with traffic on it.")
    say(f"  look around:  {look}")
    say(f"  take it down: {down}")


def left(environment: Environment | None) -> None:
    """What runs on after an early end, and the commands for it."""
    if environment is None or not environment.left:
        say("nothing was started")
        return
    look, down = environment.ending()
    say("left running, as far as it got: " + "; ".join(environment.left))
    say(f"  look around:  {look}")
    say(f"  go on:        start the demo again; it takes up what is there\n  take it down: {down}")


sys.exit(main())
