"""The interface of a router: weights become objects, and existing objects are read as weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from merit.api.rollout import Route as Declared
from merit.objects.workload import Object
from merit.policy.state.observed import Route


@dataclass(frozen=True, slots=True)
class Split:
    """The desired traffic. `weights`: percent by a revision's 8 characters, adding up to 100.

    `serves`: the revision that callers inside the cluster get. `ports`: where each revision
    listens. `route`: as it is declared. `existing`: the route to keep in all but its weights, where
    the declared one is not possible. `announced`: revisions without weight that the gateway must
    know in advance.
    """

    name: str
    namespace: str
    owner: Object
    route: Declared
    weights: Mapping[str, int]
    serves: str
    ports: Mapping[str, int]
    existing: Mapping[str, Any] | None = None
    announced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RouterState:
    """The existing objects of a router by kind, ours or not, as the cache has them.

    `pods`: the desired number by revision. `intended`: the weights in status; `stable`: the stable
    revision.
    """

    objects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pods: Mapping[str, int] = field(default_factory=dict)
    intended: Mapping[str, int] = field(default_factory=dict)
    stable: str = ""


class Router(Protocol):
    """One way to give each revision its weight.

    `kinds`: of its objects, all called `<name>`; the first one has the weights.
    """

    @property
    def kinds(self) -> Sequence[str]: ...

    def render(self, split: Split) -> tuple[Object, ...]:
        """The objects, in the order in which they must be written."""

    def read(self, state: RouterState) -> Route:
        """The weights that are set, and whether the gateway accepted them."""
