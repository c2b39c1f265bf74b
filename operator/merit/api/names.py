"""Names of Kubernetes objects. They are deterministic, so that a repeated write is harmless."""

from __future__ import annotations

import hashlib

GROUP = "merit.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"
LABEL_PREFIX = f"{GROUP}/"
LABEL_NAME = "merit.dev/name"
LABEL_REVISION = "merit.dev/revision"
LABEL_STAGE = "merit.dev/stage"
LABEL_CANDIDATE = "merit.dev/candidate"  # the revision that a Job or record belongs to
LABEL_ROLE = "merit.dev/role"
SERVING = "serving"
ANNOTATION_HASH = "merit.dev/applied"
FIELD_MANAGER = "merit"
RESERVED_ENV = "MERIT_"
REPORT_CONTAINER = "merit-report"  # reads a framework's file after the user's containers
MAX_NAME = 40
NAME_PATTERN = r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$"


def accepted_name(name: str, key: str) -> str:
    """Name of the ControllerRevision of an accepted spec. `key`: `Identity.key`."""
    return f"{name[:MAX_NAME]}-{key}"


def revision_name(name: str, short: str) -> str:
    """Name of the Deployment and the Service of one revision."""
    return f"{name[:MAX_NAME]}-{short}"


def job_name(name: str, short: str, stage: str, run6: str) -> str:
    """Name of the Job and the record of one run; at most 63 characters, as for a label."""
    return f"{name[:30].rstrip('-')}-{short}-{stage.lower()}-{run6}"


def ledger_name(name: str) -> str:
    """Name of the ConfigMap that outlives the object."""
    return f"{name[:MAX_NAME]}-ledger"


def run_id(uid: str, revision: str, stage_policy: str, attempt: int) -> str:
    """6 hex digits that identify one run of a stage, even if names are truncated."""
    return _digest("run", uid, revision, stage_policy, attempt)[:6]


def nonce(uid: str, revision: str, stage_policy: str, attempt: int) -> str:
    """16 hex digits that a report must repeat, to prove that it was made by this run."""
    return _digest("nonce", uid, revision, stage_policy, attempt)[:16]


def _digest(kind: str, uid: str, revision: str, stage_policy: str, attempt: int) -> str:
    text = "\n".join((kind, uid, revision, stage_policy, str(attempt)))
    return hashlib.sha256(text.encode()).hexdigest()
