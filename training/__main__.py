"""`python -m training`."""

from __future__ import annotations

import sys

from pydantic import ValidationError
from pydantic_settings import CliApp, get_subcommand

from training.commands.command_line import CommandLine
from training.commands.context import Command, Context, MissingPrerequisite
from training.datasets.records import Leakage, UnexpectedLayout
from training.export.parity import ParityError
from training.promotion import PromotionRefused
from training.sources import UnusableData
from training.versions import UnknownVersion

# What a user can correct; the message of each says how.
USER_ERRORS = (
    FileExistsError,
    FileNotFoundError,
    Leakage,
    MissingPrerequisite,
    PromotionRefused,
    UnexpectedLayout,
    UnknownVersion,
    ParityError,
    UnusableData,
    ValidationError,
)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns the exit status: 0, 1 for a failed command, 2 for wrong arguments."""
    try:
        command_line = CliApp.run(CommandLine, cli_args=arguments)
    except ValidationError as error:
        for details in error.errors():
            place = " ".join(str(part).replace("_", "-") for part in details["loc"])
            print(f"error: {place}: {details['msg'].removeprefix('Value error, ')}", file=sys.stderr)
        return 2
    command = get_subcommand(command_line, is_required=False)
    if not isinstance(command, Command):
        CliApp.print_help(CommandLine, file=sys.stderr)
        return 2
    try:
        command.run(
            Context.create(command_line.configuration, command_line.folder, command_line.repository, command.run_name)
        )
    except USER_ERRORS as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
