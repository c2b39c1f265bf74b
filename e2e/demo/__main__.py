"""`python -m e2e.demo [--quick]`: real models walk the whole flow on a real cluster."""

from __future__ import annotations

import argparse
import signal
import sys

from e2e.cluster.paths import ClusterError
from e2e.cluster.provider import chosen
from e2e.demo import client, scenes
from e2e.demo.kubectl import DemoError
from e2e.demo.model import NAMESPACE, example
from e2e.demo.setting import SCRAPE, Setting
from e2e.demo.story import Story
from e2e.demo.words import heading, say, waiting_times


def main() -> int:
    """0 when everything happened; 1 with a sentence when not; 130 when it was stopped."""
    parser = argparse.ArgumentParser(prog="python -m e2e.demo", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one good and one bad version only")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    setting = None
    try:
        setting = Setting(chosen())
        prepare(setting)
        play(setting, quick=asked.quick)
    except (DemoError, ClusterError) as error:
        say(f"\nFAILED: {error}")
        left(setting)
        return 1
    except KeyboardInterrupt:
        # A second Ctrl-C must not cut off the sentence that says what is left.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("\nstopped")
        left(setting)
        return 130
    return 0


def prepare(setting: Setting) -> None:
    """Everything that has to be there before the first version."""
    heading("the cluster")
    setting.cluster()
    heading("images: built once, then taken from the cache")
    setting.images()
    heading("the data plane: Gateway API, Contour with Envoy, Prometheus")
    setting.data_plane()
    heading("the operator, from its own chart")
    setting.operator()
    setting.clean()
    say()
    waiting_times(example("good")["spec"]["rollout"], SCRAPE)


def play(setting: Setting, *, quick: bool) -> None:
    """The versions one after the other, under traffic from the second on."""
    story = Story(setting.kubectl, setting.manifest)
    customers = client.Client(setting.kubectl, NAMESPACE)
    heading("good: the first version serves once its evaluation passes")
    scenes.serve(story)
    if not quick:
        heading("slow: as accurate as any, and too dear to serve")
        scenes.too_slow(story)
    heading("customers: 40 payments a second through the gateway, every answer counted")
    flowing = customers.start(setting.manifest(client.MANIFEST.read_text()))
    say(f"   {flowing.total} answers, {flowing.failed} failed")
    if not quick:
        heading("better: has to earn its traffic step by step")
        scenes.promote(story, customers)
        heading("inaccurate: trained on labels of other rows")
        scenes.refuse(story, customers, "inaccurate", "recall")
        heading("unfair: as good on the whole, but it misses the frauds of one region")
        scenes.refuse(story, customers, "unfair", "region=north")
    heading("failing: accurate on its holdout, but some live payments break it")
    scenes.roll_back(story, customers)
    if not quick:
        heading("leaking: earns its promotion, and turns slow when it serves")
        scenes.turn(story, customers)
    heading("how it stands")
    say("   $ kubectl get mdep --all-namespaces")
    say(setting.kubectl("get", "mdep", "--all-namespaces").rstrip())
    look, down = setting.ending()
    say("\nAll of it happened. Everything is still running, with traffic on it.")
    say(f"  look around:  {look}")
    say(f"  take it down: {down}")


def left(setting: Setting | None) -> None:
    """What runs on after an early end, and the commands for it."""
    if setting is None or not setting.left:
        say("nothing was started")
        return
    look, down = setting.ending()
    say("left running, as far as it got: " + "; ".join(setting.left))
    say(f"  look around:  {look}")
    say(f"  go on:        start the demo again; it takes up what is there\n  take it down: {down}")


sys.exit(main())
