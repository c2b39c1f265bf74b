"""The log of the process."""

from __future__ import annotations

import json
import logging

from merit.process.logs import JsonFormatter


def test_a_log_line_is_one_json_object_with_what_the_caller_adds() -> None:
    record = logging.makeLogRecord(
        {"name": "merit", "msg": "a %s", "args": ("b\nc",), "object": "x"}
    )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "a b\nc"
    assert json.loads(line)["object"] == "x"
