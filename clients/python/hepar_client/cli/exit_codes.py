"""Exit codes of `hepar`. A signal or a closed pipe ends it with 128 plus the signal's number."""

from enum import IntEnum


class ExitCode(IntEnum):
    """DONE: every file was analysed. SOME_FAILED: some were not, or were skipped."""

    DONE = 0
    SOME_FAILED = 1
    WRONG_USE = 2
    UNREACHABLE = 3
    SIGN_IN_FIRST = 4
    CLOSED_PIPE = 141
