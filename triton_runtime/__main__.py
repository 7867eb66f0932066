"""`python -m triton_runtime`: Triton in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import ValidationError

from triton_runtime.keeper import Keeper
from triton_runtime.machine import UnsuitableMachine
from triton_runtime.settings import TritonSettings

SECRETS_FOLDER = Path("/run/secrets")  # where containers have files named like the variables


def main() -> int:
    try:
        secrets = SECRETS_FOLDER if SECRETS_FOLDER.is_dir() else None
        keeper = Keeper(TritonSettings(_secrets_dir=secrets))  # pyright: ignore[reportCallIssue]
    except (UnsuitableMachine, ValidationError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    keeper.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
