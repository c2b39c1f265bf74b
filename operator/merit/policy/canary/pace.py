"""How long a step takes where little traffic reaches it, said before anybody wonders."""

from __future__ import annotations

from merit.evidence.ladder import ENOUGH_RPS, margin
from merit.evidence.sentences import duration
from merit.policy.canary.case import Case

REQUESTS = 3.4  # a near-perfect candidate needs that many, times phi, over the margin
PHI = 3.0  # what is assumed of dispersion that nobody has measured


def slow_step(case: Case, index: int) -> str:
    """What to expect of a ladder step that gets less than half a request per second, or nothing."""
    rps = case.known.rps or float(case.candidate.load or 0.0)
    weight = case.ladder[index]
    mine = rps * weight / 100
    if not rps or mine >= ENOUGH_RPS or index + 1 >= len(case.ladder):
        return ""
    excess = margin(case.ladder, index + 1, blast_radius=case.known.blast_radius, rps=rps)
    phi = max((case.seen.dispersion or {}).values(), default=PHI)
    about = duration(REQUESTS * phi / excess / mine)
    return f"; {weight}% of {rps:g}/s is {mine:.2g} requests/s: about {about} for this step"
