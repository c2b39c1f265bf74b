"""Filters of a route that refer to an object of the gateway's own kinds, if they are allowed.

Such an object can do anything with a request, so whoever runs the operator lists its kinds.
"""

from __future__ import annotations

from collections.abc import Collection

from merit.api.rules.rollout import EXTENSION, extension_of
from merit.api.spec import Spec
from merit.api.validation import Invalid


def extension_refusal(spec: Spec, allowed: Collection[str]) -> Invalid | None:
    """The first filter whose kind is not `allowed` (`group/kind`), or None."""
    gateway = spec.rollout.route.gateway
    for index, rule in enumerate(gateway.rules or () if gateway else ()):
        for place, entry in enumerate(rule.filters or ()):
            kind = extension_of(entry)
            if entry["type"] == EXTENSION and kind not in allowed:
                rules = "spec.rollout.route.gateway.rules"
                return Invalid(
                    field=f"{rules}[{index}].filters[{place}].extensionRef",
                    message=f"{kind} is not allowed by the operator's configuration",
                    remedy="remove it, or ask for it in routes.extensionRefs of that configuration",
                    reason="ExtensionRefused",
                )
    return None
