"""A selection of what `make faults` runs in full: each fault once, where a rollback is decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.campaign import Campaign
from tests.faults.faults import FAULTS, OF_ALL, OF_ONE, OF_PROMETHEUS
from tests.faults.run import Plan
from tests.faults.stage import FaultStage

pytestmark = pytest.mark.apiserver
SCENARIO = "canary rolls back"
DECISIVE = ("rejected", "apply httproutes", "apply pin")
# It may cost a minute at what is not urgent; and one loss of Prometheus is like another.
LEFT_OUT = ("429, Retry-After 3600", *list(OF_PROMETHEUS)[2:])


def chosen(campaign: Campaign) -> list[Plan]:
    """Each fault at one decisive write, in turn."""
    at = [
        plan.moment
        for plan in campaign.plans()
        if plan.moment and any(part in plan.moment.label for part in DECISIVE)
    ]
    moments = sorted(set(at))
    faults = [fault for fault in FAULTS if fault not in LEFT_OUT]
    return [Plan(SCENARIO, fault, moments[i % len(moments)]) for i, fault in enumerate(faults)]


async def test_no_fault_around_a_rollback_breaks_an_invariant_or_changes_its_end(
    tmp_path: Path,
) -> None:
    async with FaultStage(tmp_path) as stage:
        campaign = Campaign(stage)
        await campaign.refer([SCENARIO])
        plans = chosen(campaign)
        # Most at once: here time matters more than which fault it was.
        for faults in (OF_ONE | OF_ALL, OF_PROMETHEUS):
            await campaign.play([plan for plan in plans if plan.fault in faults], len(plans))
        campaign.failed += stage.exceptions()
        assert not campaign.violations(), campaign.table()
        missed = [str(run.plan) for run in campaign.runs if run.plan.fault and not run.reached]
        assert len(missed) <= len(plans) // 4, missed  # a write may not come in every run
        assert stage.crashes >= 2
