"""What a command is declared on."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

WRONG, UNREADABLE = 1, 2  # exit codes: what a file says is wrong, or it cannot be read


class Refused(Exception):
    """One sentence, and the exit code."""

    def __init__(self, sentence: str, code: int = WRONG) -> None:
        super().__init__(sentence)
        self.code = code
