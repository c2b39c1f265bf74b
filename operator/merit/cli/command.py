"""What all commands share: exit codes and an error with one."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

WRONG, UNREADABLE = 1, 2  # exit codes: a file has mistakes, or it cannot be read


class CommandError(Exception):
    """Why a command failed, in one sentence, and its exit code."""

    def __init__(self, sentence: str, code: int = WRONG) -> None:
        super().__init__(sentence)
        self.code = code
