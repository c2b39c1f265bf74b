"""The services of the demo, side by side: where each is, and what it goes through."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from e2e.demo import client, scenes
from e2e.demo.kubectl import DemoError
from e2e.demo.model import HOST, NAMESPACE
from e2e.demo.setting import Setting
from e2e.demo.story import Story

Scene = Callable[[Story, client.Client], None]


@dataclass(frozen=True, slots=True)
class Track:
    """One service in a namespace of its own, with customers of its own.

    `scenes`: what comes after its first version serves, each with its heading.
    """

    namespace: str
    host: str
    scenes: Sequence[tuple[str, Scene]]

    def begin(self, setting: Setting) -> Story:
        """Its first version serves. Raises DemoError, as `go_on` does, naming the namespace."""
        story = Story(setting.kubectl, setting.manifest, namespace=self.namespace, host=self.host)
        with self._named():
            story.heading("good: the first version serves once its evaluation passes")
            scenes.serve(story)
        return story

    def go_on(self, setting: Setting, story: Story) -> None:
        """Customers come, and then the scenes in order."""
        customers = client.Client(setting.kubectl, self.namespace)
        with self._named():
            scenes.welcome(story, customers, setting.manifest(client.MANIFEST.read_text()))
            for heading, scene in self.scenes:
                story.heading(heading)
                scene(story, customers)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except DemoError as error:
            raise DemoError(f"{self.namespace}: {error}") from error


FAILING = ("failing: accurate on its holdout, but some live payments break it", scenes.roll_back)
QUICK = (Track(NAMESPACE, HOST, (FAILING,)),)
ALL = (
    Track(
        f"{NAMESPACE}-watch",
        "watch.example.com",
        (("leaking: earns its promotion, and turns slow when it serves", scenes.turn),),
    ),
    Track(
        NAMESPACE,
        HOST,
        (("better: has to earn its traffic step by step", scenes.promote), FAILING),
    ),
    Track(
        f"{NAMESPACE}-load",
        "load.example.com",
        (("slow: as accurate as any, and too dear to serve", scenes.too_slow),),
    ),
    Track(
        f"{NAMESPACE}-gates",
        "gates.example.com",
        (
            (
                "inaccurate: trained on labels of other rows",
                partial(scenes.refuse, version="inaccurate", why="recall"),
            ),
            (
                "unfair: as good on the whole, but it misses the frauds of one region",
                partial(scenes.refuse, version="unfair", why="region=north"),
            ),
        ),
    ),
)


def play(tracks: Sequence[Track], setting: Setting) -> None:
    """One begins after the other, and then they go on side by side.

    The first DemoError, or Ctrl-C, ends the others too.
    """
    with ThreadPoolExecutor(len(tracks)) as pool:
        try:
            # Together their first pods would take as long, and the longest story would begin last.
            going = [pool.submit(track.go_on, setting, track.begin(setting)) for track in tracks]
            for done in as_completed(going):
                done.result()
        except BaseException:
            # A second Ctrl-C must not cut off the sentence that says what is left.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            setting.kubectl.stop()
            raise
