"""`python -m triton_runtime`: Triton in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import sys

from hepar.core.settings import load_settings
from triton_runtime.keeper import Keeper
from triton_runtime.machine import UnsuitableMachine
from triton_runtime.settings import TritonSettings


def main() -> int:
    try:
        keeper = Keeper(load_settings(TritonSettings))
    except UnsuitableMachine as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    keeper.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
