"""An Alertmanager's place in a world: it keeps the alerts instead of sending them."""

from __future__ import annotations

from collections.abc import Iterable

from merit.policy.report.alert_kinds import Alert
from tests.world.world import World


class AlertBoard:
    """`now`: the alerts of each object that fire now; `ever`: the names of all that ever began."""

    def __init__(self) -> None:
        self.now: dict[tuple[str, str], tuple[Alert, ...]] = {}
        self.ever: list[str] = []

    def set_alerts(self, key: tuple[str, str], alerts: Iterable[Alert]) -> None:
        """The operator's only call: the alerts that fire for one object."""
        before = {alert.identity for alert in self.now.get(key, ())}
        self.now[key] = tuple(alerts)
        new = (a for a in self.now[key] if a.identity not in before)
        self.ever += [alert.labels["alertname"] for alert in new]

    def undelivered(self, place: tuple[str, str]) -> str:
        """Everything is delivered."""
        return ""

    def of(self, world: World) -> dict[str, Alert]:
        """The alerts of a world's object, by name."""
        return {alert.labels["alertname"]: alert for alert in self.now.get(world.key, ())}
