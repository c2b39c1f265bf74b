"""The scenarios of the demo: what is applied, what has to happen, and by when."""

from __future__ import annotations

from e2e.demo.client import RATE, Answers, Client
from e2e.demo.kubectl import DemoError
from e2e.demo.model import Object, condition, example, phase, stable
from e2e.demo.narrator import Narrator

# Seconds. Long beside what is usual: a deadline is for what will not come any more.
SERVING, PROMOTED, REJECTED, ROLLED_BACK = 240, 600, 240, 420
LOADED = 720  # a load test halves its rate until one holds
TURNED, COMPARED = 420, 300  # from a promotion until it is doubted; until the comparison is over
LOOKS = 15  # seconds of looking on after a second apply: three of the operator's ticks
AFTERWARDS = 200  # answers: what traffic does after a decision belongs to the decision


def _refused(seen: Object) -> bool:
    return phase(seen) in ("Invalid", "Rejected", "RolledBack", "Withdrawn")


def serve(narrator: Narrator) -> None:
    """The first version serves once it has passed its evaluation."""
    narrator.apply("good")
    narrator.until(
        "version good serving",
        SERVING,
        lambda seen: (
            stable(seen) == "good"
            and phase(seen) == "Live"
            and condition(seen, "Available").get("status") == "True"
            and condition(seen, "TrafficShifted").get("status") == "True"
        ),
        _refused,
    )
    narrator.report("good passed its evaluation and serves")


def welcome(narrator: Narrator, client: Client, manifest: str) -> None:
    """Customers come, every answer counted. `manifest`: of the traffic."""
    flowing = client.start(manifest, host=narrator.host)
    narrator.report(
        f"customers send {RATE} payments a second through the gateway: {flowing.total} answers, "
        f"{flowing.failed} failed"
    )


def promote(narrator: Narrator, client: Client) -> None:
    """A better one earns traffic and is promoted, and no request fails meanwhile."""
    before = client.now()
    narrator.apply("better")
    narrator.until(
        "the promotion of version better",
        PROMOTED,
        lambda seen: stable(seen) == "better" and phase(seen) == "Live",
        _refused,
    )
    after = client.after(client.now(), AFTERWARDS)
    if failed := after.failed - before.failed:
        raise DemoError(
            f"{failed} of {after.total - before.total} requests failed while better was promoted, "
            f"the last with {after.last_error!r}: none may"
        )
    if not after.of("better")[0]:
        raise DemoError("version better was promoted, but no answer the client got is from it")
    narrator.report(f"better is promoted; client: {after.total - before.total} requests, 0 failed")


def too_slow(narrator: Narrator, client: Client) -> None:
    """A expensive one is as accurate as any, and its load test finds that it can not be served."""
    serving, before = stable(narrator.seen()), client.now()
    narrator.apply("slow")
    entry = _rejected(narrator, "slow", serving, LOADED)
    if entry["stage"] != "Feasibility":
        raise DemoError(f"slow was rejected at {entry['stage']}, not by its load test")
    narrator.report(f"slow passed its evaluation, and can not be served ({entry['reason']})")
    after = client.now()
    if failed := after.failed - before.failed:
        raise DemoError(f"{failed} requests to {serving} failed beside the load test of slow")
    narrator.report(f"beside it {serving} had {after.total - before.total} requests, 0 failed")
    narrator.starts_nothing("slow", LOOKS)
    narrator.report("applied again: no second load test")


def refuse(narrator: Narrator, client: Client, version: str, why: str) -> None:
    """One that misses a bar fails at the gate and never meets a customer. `why`: in the reason."""
    serving = stable(narrator.seen())
    narrator.apply(version)
    entry = _rejected(narrator, version, serving, REJECTED)
    if entry["stage"] != "Evaluation":
        raise DemoError(f"{version} was rejected at {entry['stage']}, not at its evaluation")
    if why not in entry["evidence"]:
        raise DemoError(f"{version} was rejected, yet not for its {why}: {entry['evidence']}")
    if sum(client.after(client.now(), 1).of(version)):
        raise DemoError(f"version {version} was rejected, yet it answered requests of the client")
    narrator.report(f"{version} is rejected at the gate ({entry['reason']}); it had no request")
    narrator.starts_nothing(version, LOOKS)
    narrator.report("applied again: no second Job")


def _rejected(narrator: Narrator, version: str, serving: str, seconds: float) -> Object:
    """What the ledger says of it once a gate has said no; meanwhile it has no traffic."""
    seen = narrator.until(
        f"the rejection of version {version}",
        seconds,
        lambda seen: phase(seen) == "Rejected",
        lambda seen: (
            phase(seen) in ("Invalid", "RolledBack")
            or stable(seen) != serving
            or seen["status"].get("candidate", {}).get("weight", 0) > 0
        ),
    )
    return dict(seen["status"]["rejected"][0])


def roll_back(narrator: Narrator, client: Client) -> None:
    """A failing one passes its evaluation, fails on live inputs, and loses its traffic."""
    serving, before = stable(narrator.seen()), client.now()
    narrator.apply("failing")
    seen = narrator.until(
        "the rollback of version failing",
        ROLLED_BACK,
        lambda seen: (
            phase(seen) == "RolledBack"
            and condition(seen, "Stalled").get("reason") == "RolledBack"
            and "rollback" in seen["spec"]
        ),
        lambda seen: phase(seen) in ("Invalid", "Rejected", "Withdrawn") or stable(seen) != serving,
    )
    _recorded(narrator, seen)
    settled = client.after(client.now(), AFTERWARDS)
    later = client.after(settled, AFTERWARDS)
    if later.failed != settled.failed:
        raise DemoError(
            f"{later.failed - settled.failed} requests failed after the rollback, the last with "
            f"{later.last_error!r}"
        )
    _count(narrator, before, settled)
    narrator.report(f"{serving} serves everything again: {AFTERWARDS} more requests, 0 failed")
    narrator.starts_nothing("failing", LOOKS)
    narrator.report("applied again: no new Job, no new canary")


def turn(narrator: Narrator, client: Client) -> None:
    """One that is promoted and turns slow minutes later is compared, and taken back."""
    serving = stable(narrator.seen())
    narrator.apply("leaking")
    narrator.until(
        "the promotion of version leaking",
        PROMOTED,
        lambda seen: stable(seen) == "leaking" and phase(seen) == "Live",
        _refused,
    )
    narrator.report("leaking earned its traffic as any other, and serves everything")
    before = client.now()
    narrator.until(
        "the doubt about version leaking",
        TURNED,
        lambda seen: phase(seen) == "Comparing",
        lambda seen: phase(seen) == "RolledBack",
    )
    narrator.report(
        f"it turned slow; {serving} is brought in beside it, to be compared in the same minutes"
    )
    seen = narrator.until(
        "the rollback of version leaking",
        COMPARED,
        lambda seen: phase(seen) == "RolledBack" and "rollback" in seen["spec"],
        lambda seen: stable(seen) not in ("leaking", serving),
    )
    entry = seen["status"]["rejected"][0]
    if stable(seen) != serving:
        raise DemoError(f"leaking was taken back, but {stable(seen)} serves and not {serving}")
    settled = client.after(client.now(), AFTERWARDS)
    later = client.after(settled, AFTERWARDS)
    if later.slow != settled.slow:
        raise DemoError(f"{later.slow - settled.slow} answers were slow after the rollback")
    narrator.report(f"leaking is taken back ({entry['reason']}: {entry.get('evidence', '')})")
    narrator.report(
        f"the price, by the client's count: {settled.slow - before.slow} slow answers of "
        f"{settled.total - before.total}; then {AFTERWARDS} more, none slow"
    )


def _recorded(narrator: Narrator, seen: Object) -> None:
    entry, pin = seen["status"]["rejected"][0], seen["spec"]["rollback"]
    if entry["stage"] != "Rollout":
        raise DemoError(f"failing was stopped at {entry['stage']}, not in its rollout")
    if seen["spec"]["model"] != example("failing")["spec"]["model"]:
        raise DemoError(f"spec.model is not as applied any more: {seen['spec']['model']}")
    if pin["fromRevision"] != entry["revision"]:
        raise DemoError(f"spec.rollback names {pin['fromRevision']}, not {entry['revision']}")
    if pin["toRevision"] != seen["status"]["stable"]["revision"]:
        raise DemoError(f"spec.rollback leads to {pin['toRevision']}, which does not serve")
    narrator.report(
        f"failing is rolled back from canary ({entry['reason']}: {entry.get('evidence', '')})"
    )
    narrator.report("spec.model is as applied; spec.rollback says what is rejected, and why")


def _count(narrator: Narrator, before: Answers, after: Answers) -> None:
    failed, total = after.failed - before.failed, after.total - before.total
    if not failed:
        raise DemoError("version failing was rolled back, but the client saw no bad request")
    narrator.report(
        f"the price, by the client's count: {failed} bad requests of {total} ({failed / total:.2%})"
    )
