"""`kubectl merit VERB NAME`: manual requests to a rollout, short forms of `kubectl annotate`.

It runs kubectl, which must be in PATH, and so uses the cluster and the user of kubectl. Each verb
adds the revision that is meant, writes as field manager `merit-cli` (which GitOps tools leave
alone), and waits until the operator has acknowledged the request.
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

from merit.cli.command import CommandError

Object = dict[str, Any]
MANAGER = "merit-cli"
GROUP = "merit.dev"
DONE, REFUSED, NOT_ACKNOWLEDGED = 0, 1, 2

VERBS = {
    "approve": "approve the step that waits for it (rollout.approvals)",
    "promote": "end a running canary now: the candidate becomes the stable revision",
    "abort": "stop the candidate: weight 0, and rejected",
    "retry": "run a rejected, withdrawn or given-up version again",
    "rollback": "reject the live revision and return to the one before it",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb. Returns 0 if it was done, 1 if refused, 2 if it was not acknowledged."""
    chosen = parser().parse_args(argv)
    kubectl = Kubectl(chosen.namespace, chosen.context, chosen.kubeconfig)
    try:
        if chosen.verb == "status":
            print(status_text(kubectl.get(chosen.name)))
            return DONE
        return request(kubectl, chosen.verb, chosen.name, chosen.timeout)
    except CommandError as error:
        print(f"kubectl merit: {error}", file=sys.stderr)
        return REFUSED


def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("name", metavar="NAME", help="the ModelDeployment")
    common.add_argument("-n", "--namespace", help="its namespace (default: kubectl's own)")
    common.add_argument("--context", help="as for kubectl")
    common.add_argument("--kubeconfig", help="as for kubectl")
    common.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for the operator (default: %(default)g)",
    )
    root = argparse.ArgumentParser(prog="kubectl merit", description="Models serve on merit.")
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, text in {**VERBS, "status": "show its stages, and what it waits for"}.items():
        verbs.add_parser(verb, parents=[common], help=text, description=text)
    return root


class Kubectl:
    """kubectl with the options for cluster and namespace. Its methods raise CommandError."""

    def __init__(self, namespace: str | None, context: str | None, kubeconfig: str | None) -> None:
        given = {"--namespace": namespace, "--context": context, "--kubeconfig": kubeconfig}
        self._options = [f"{option}={value}" for option, value in given.items() if value]

    def get(self, name: str) -> Object:
        """The ModelDeployment."""
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
            process = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            raise CommandError("kubectl is not in PATH") from None
        if process.returncode:
            error = process.stderr.strip().removeprefix("Error from server ").strip()
            raise CommandError(f"kubectl {arguments[0]}: {error or 'it failed'}")
        obj: Object = json.loads(process.stdout)
        return obj


def request(kubectl: Kubectl, verb: str, name: str, timeout: float) -> int:
    """Write the token, wait for the acknowledgement, and print the outcome."""
    value = new_token(verb, kubectl.get(name), datetime.now(UTC))
    kubectl.annotate(name, verb, value)
    deadline = time.monotonic() + timeout
    while True:
        obj = kubectl.get(name)
        status = obj.get("status") or {}
        if (status.get("lastHandled") or {}).get(verb) == value:
            return report_outcome(verb, value, status)
        annotation = f"{GROUP}/{verb}"
        if (obj["metadata"].get("annotations") or {}).get(annotation) != value:
            raise CommandError(
                f"the annotation {annotation} was changed before the operator saw it"
            )
        if time.monotonic() > deadline:
            return report_timeout(verb, value, name, status, timeout)
        time.sleep(0.5)


def new_token(verb: str, obj: Object, now: datetime) -> str:
    """A new value; it names the revision unless the verb only takes traffic away."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    if verb in ("abort", "rollback"):
        return stamp
    if verb == "retry":
        # Imported here: only this verb needs the hashing and its imports.
        from merit.api.hashing import identify

        return f"{identify(obj['spec']).short}-{stamp}"
    status = obj.get("status") or {}
    candidate = status.get("candidate")
    if not candidate:
        phase = status.get("phase") or "not seen by the operator yet"
        raise CommandError(f"there is nothing to {verb}: there is no candidate ({phase})")
    return f"{candidate['short']}-{stamp}"


def report_outcome(verb: str, value: str, status: Object) -> int:
    """Print the decision that this token led to."""
    lines = status.get("decisions") or ()
    line: Object = next(
        (entry for entry in lines if f"{GROUP}/{verb}={value}" in entry.get("why", "")), {}
    )
    what, why = line.get("what", "acknowledged"), line.get("why", "")
    if what == f"{verb} ignored":
        raise CommandError(why.partition(": ")[2] or what)
    print(what)
    print(f"{status.get('phase', '')}: {status.get('summary', '')}")
    return DONE


def report_timeout(verb: str, value: str, name: str, status: Object, timeout: float) -> int:
    """Say that the token was written, but not acknowledged in time."""
    print(
        f"kubectl merit: {GROUP}/{verb}={value} is written, and is not acknowledged after "
        f"{timeout:g}s. {status.get('phase', 'No operator has seen the object')}: "
        f"{status.get('summary', '')}\nIt takes effect as soon as the operator sees it: "
        f"kubectl merit status {name}",
        file=sys.stderr,
    )
    return NOT_ACKNOWLEDGED


def status_text(obj: Object) -> str:
    """The status for people: stable and candidate, each stage, and what it waits for."""
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
