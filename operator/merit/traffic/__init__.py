"""Routers: how weights become objects, and objects are read back as weights.

Here: pure functions over objects. Not here: which weight a revision gets (`policy`), and writing
the objects (`reconciler`).
"""

from __future__ import annotations

from merit.traffic.gateway_api import GatewayApi
from merit.traffic.replicas import Replicas
from merit.traffic.router import Router

ROUTERS: dict[str, Router] = {"gateway": GatewayApi(), "replicas": Replicas()}
"""By the field of `spec.rollout.route` that selects it."""
