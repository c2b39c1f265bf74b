"""Names fit the limits of Kubernetes and identify what they name."""

from __future__ import annotations

import re

from merit.api.names import (
    accepted_name,
    job_name,
    ledger_name,
    nonce,
    revision_name,
    run_id,
)

SHORT, LONG = "0a1b2c3d", "a" * 29 + "-" + "b" * 10


def test_every_name_fits_a_label_and_a_service() -> None:
    run = run_id("uid", "h1:x", "h1:y", 1)
    for name in (
        accepted_name(LONG, f"{SHORT}-{SHORT}"),
        revision_name(LONG, SHORT),
        job_name(LONG, SHORT, "Feasibility", run),
        ledger_name(LONG),
    ):
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name), name
        assert "--" not in name


def test_run_ids_and_nonces_depend_on_all_their_inputs() -> None:
    given = [("u", "r", "p", 1), ("v", "r", "p", 1), ("u", "s", "p", 1), ("u", "r", "q", 1)]
    given.append(("u", "r", "p", 2))
    assert len({run_id(*g) for g in given}) == len({nonce(*g) for g in given}) == 5
    assert re.fullmatch("[0-9a-f]{6}", run_id(*given[0]))
    assert re.fullmatch("[0-9a-f]{16}", nonce(*given[0]))
