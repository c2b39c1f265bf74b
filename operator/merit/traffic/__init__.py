"""Routers: how shares of traffic become objects."""

from __future__ import annotations

from merit.traffic.gateway_api import GatewayApi
from merit.traffic.replicas import Replicas
from merit.traffic.router import Router

ROUTERS: dict[str, Router] = {"gateway": GatewayApi(), "replicas": Replicas()}
"""By the field of `spec.rollout.route` that asks for it."""
