"""`python -m local_stack run` and `python -m local_stack demo IMAGE [--study PATH]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hepar.core.settings import load_settings
from local_stack.checks import CannotStart
from local_stack.demo import run_demo
from local_stack.demo_client import DemoFailed
from local_stack.settings import StackSettings
from local_stack.supervisor import run_stack


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local_stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start the stack and run until Ctrl-C")
    run.add_argument("--quiet", action="store_true", help="no progress line and no hints")
    demo = commands.add_parser("demo", help="analyse one image, or one study, and stop")
    demo.add_argument("image", type=Path)
    demo.add_argument("--study", type=Path, help="a ZIP, a NIfTI file or a folder of DICOM files, instead of the image")
    arguments = parser.parse_args()
    try:
        if arguments.command == "demo":
            run_demo(arguments.image, arguments.study)
            return 0
        return run_stack(load_settings(StackSettings), hints=not arguments.quiet)
    except (CannotStart, DemoFailed) as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
