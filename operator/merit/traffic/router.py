"""What a router is: shares become objects, and the objects that stand are read back as shares.

One file each: `gateway_api.py`, `replicas.py`. A router is pure; writing is the reconciler's part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from merit.api.rollout import Route as Declared
from merit.children.workload import Object
from merit.policy.observed import Route

Known = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Split:
    """What traffic shall be. `weights`: percent by a revision's 8 characters, adding up to 100.

    `serves`: the revision that callers inside the cluster get. `ports`: where each revision
    listens. `route`: as it is declared; where that cannot be had, the route that stands is kept in
    all but its weights: `standing`. `announced`: revisions that have no share, and that a gateway
    is to know all the same.
    """

    name: str
    namespace: str
    owner: Object
    route: Declared
    weights: Mapping[str, int]
    serves: str
    ports: Mapping[str, int]
    standing: Known | None = None
    announced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands, as the cache has it: the objects of a router by kind, ours or not.

    `pods`: how many each revision is to have. `intended`: the weights that status means to set;
    `stable`: the revision that is stable.
    """

    objects: Mapping[str, Known] = field(default_factory=dict)
    pods: Mapping[str, int] = field(default_factory=dict)
    intended: Mapping[str, int] = field(default_factory=dict)
    stable: str = ""


class Router(Protocol):
    """One way to give each revision its share.

    `kinds`: of the objects it makes, all called `<name>`; the first is the one that has the shares.
    """

    @property
    def kinds(self) -> Sequence[str]: ...

    def render(self, split: Split) -> tuple[Object, ...]:
        """The objects, in the order in which they are to be written."""

    def read(self, standing: Standing) -> Route:
        """The shares that are set, and what a gateway said of them; not whether all stands."""
