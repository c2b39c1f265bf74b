"""`kubectl merit VERB NAME`: what people say to a rollout, in short forms of `kubectl annotate`.

It stands on kubectl, which must be in PATH: so it goes to the cluster that kubectl goes to, as the
user whom kubectl is. Each verb fills in the revision that is meant, writes as field manager
`merit-cli` (which GitOps tools leave alone), and waits until the operator has acknowledged it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
MANAGER = "merit-cli"
GROUP = "merit.dev"
DONE, REFUSED, UNHEARD = 0, 1, 2

VERBS = {
    "approve": "say yes to the step that waits for it (rollout.approvals)",
    "promote": "end a running canary now: the candidate becomes the stable revision",
    "abort": "stop the version on its way: weight 0, and rejected",
    "retry": "try a rejected, withdrawn or given-up version again",
    "rollback": "reject what is live and return to the revision before it",
}


class Sorry(Exception):
    """What cannot be done, as a sentence."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0 if it was done, 1 if it was refused, 2 if nobody acknowledged it."""
    chosen = parser().parse_args(argv)
    kubectl = Kubectl(chosen.namespace, chosen.context, chosen.kubeconfig)
    try:
        if chosen.verb == "status":
            print(story(kubectl.get(chosen.name)))
            return DONE
        return ask(kubectl, chosen.verb, chosen.name, chosen.timeout)
    except Sorry as sorry:
        print(f"kubectl merit: {sorry}", file=sys.stderr)
        return REFUSED


def parser() -> argparse.ArgumentParser:
    """Everything that can be said on the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("name", metavar="NAME", help="the ModelDeployment")
    common.add_argument("-n", "--namespace", help="its namespace (default: kubectl's own)")
    common.add_argument("--context", help="as kubectl's")
    common.add_argument("--kubeconfig", help="as kubectl's")
    common.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for the operator (default: %(default)g)",
    )
    root = argparse.ArgumentParser(prog="kubectl merit", description="Models serve on merit.")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, words in {**VERBS, "status": "where it stands, and what it waits for"}.items():
        verbs.add_parser(verb, parents=[common], help=words, description=words)
    return root


class Kubectl:
    """kubectl with the options that say which cluster and namespace. Raises Sorry."""

    def __init__(self, namespace: str | None, context: str | None, kubeconfig: str | None) -> None:
        given = {"--namespace": namespace, "--context": context, "--kubeconfig": kubeconfig}
        self._options = [f"{option}={value}" for option, value in given.items() if value]

    def get(self, name: str) -> Object:
        """The ModelDeployment as it stands."""
        return self._json("get", f"modeldeployments.{GROUP}", name)

    def annotate(self, name: str, verb: str, value: str) -> None:
        """Set the token."""
        self._json(
            "annotate", f"modeldeployments.{GROUP}", name, f"{GROUP}/{verb}={value}",
            "--overwrite", f"--field-manager={MANAGER}",
        )  # fmt: skip

    def _json(self, *arguments: str) -> Object:
        command = ["kubectl", *self._options, *arguments, "--output=json"]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            raise Sorry("kubectl is not in PATH") from None
        if done.returncode:
            said = done.stderr.strip().removeprefix("Error from server ").strip() or "it failed"
            raise Sorry(f"kubectl {arguments[0]}: {said}")
        found: Object = json.loads(done.stdout)
        return found


def ask(kubectl: Kubectl, verb: str, name: str, timeout: float) -> int:
    """Write the token, wait for the acknowledgement, and say what came of it."""
    value = token(verb, kubectl.get(name), datetime.now(UTC))
    kubectl.annotate(name, verb, value)
    deadline = time.monotonic() + timeout
    while True:
        obj = kubectl.get(name)
        status = obj.get("status") or {}
        if (status.get("lastHandled") or {}).get(verb) == value:
            return outcome(verb, value, status)
        if _stripped(obj, verb, value):
            raise Sorry(f"the annotation {GROUP}/{verb} was changed before the operator saw it")
        if time.monotonic() > deadline:
            return unheard(verb, value, name, status, timeout)
        time.sleep(0.5)


def token(verb: str, obj: Object, now: datetime) -> str:
    """A value that is new, and names the revision where the verb raises risk."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    if verb in ("abort", "rollback"):
        return stamp
    if verb == "retry":
        # Imported here: only this verb needs what hashing stands on.
        from merit.api.hashing import identify

        return f"{identify(obj['spec']).short}-{stamp}"
    status = obj.get("status") or {}
    candidate = status.get("candidate")
    if not candidate:
        phase = status.get("phase") or "not seen by the operator yet"
        raise Sorry(f"there is nothing to {verb}: no version is on its way ({phase})")
    return f"{candidate['short']}-{stamp}"


def outcome(verb: str, value: str, status: Object) -> int:
    """The decision that this token led to, in its own words."""
    lines = status.get("decisions") or ()
    line: Object = next(
        (one for one in lines if f"{GROUP}/{verb}={value}" in one.get("why", "")), {}
    )
    what, why = line.get("what", "acknowledged"), line.get("why", "")
    if what == f"{verb} ignored":
        raise Sorry(why.partition(": ")[2] or what)
    print(what)
    print(f"{status.get('phase', '')}: {status.get('summary', '')}")
    return DONE


def unheard(verb: str, value: str, name: str, status: Object, timeout: float) -> int:
    """It was written, and nothing has come of it yet."""
    print(
        f"kubectl merit: {GROUP}/{verb}={value} stands, and is not acknowledged after "
        f"{timeout:g}s. {status.get('phase', 'No operator has seen the object')}: "
        f"{status.get('summary', '')}\nIt works as soon as the operator can: "
        f"kubectl merit status {name}",
        file=sys.stderr,
    )
    return UNHEARD


def _stripped(obj: Object, verb: str, value: str) -> bool:
    annotations = obj["metadata"].get("annotations") or {}
    return bool(annotations.get(f"{GROUP}/{verb}") != value)


def story(obj: Object) -> str:
    """Where it stands: what serves, what is on its way, each stage, and what people can do."""
    status, name = obj.get("status") or {}, obj["metadata"]["name"]
    lines = [f"{name}: {status.get('phase') or 'not seen by the operator yet'}"]
    lines += [f"  {status['summary']}"] if status.get("summary") else []
    for part in ("stable", "candidate"):
        revision = status.get(part)
        if revision:
            weight = f" at {revision.get('weight', 0)}%" if part == "candidate" else ""
            lines.append(f"{part}: version {revision['version']} ({revision['short']}){weight}")
    for stage in status.get("flow") or ():
        lines.append(f"  {stage['stage']}: {stage['verdict']}: {stage.get('message', '')}")
    for entry in (status.get("rejected") or ())[:3]:
        version = entry.get("version", "")
        lines.append(f"rejected: version {version} at {entry['stage']}: {entry.get('evidence')}")
    if (status.get("next") or {}).get("what"):
        lines.append(f"next: {status['next']['what']}")
    return "\n".join([*lines, *_waiting(obj)])


def _waiting(obj: Object) -> list[str]:
    status, name = obj.get("status") or {}, obj["metadata"]["name"]
    annotations, handled = obj["metadata"].get("annotations") or {}, status.get("lastHandled") or {}
    lines = [
        f"not acknowledged yet: {GROUP}/{verb}={value}"
        for verb in VERBS
        if (value := annotations.get(f"{GROUP}/{verb}")) and handled.get(verb) != value
    ]
    reasons = {c.get("reason") for c in status.get("conditions") or () if c["status"] == "True"}
    if "AwaitingApproval" in reasons:
        lines.append(f"it waits for a person: kubectl merit approve {name}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
