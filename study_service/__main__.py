"""`python -m study_service api | worker | listen | fetch | migrate | rotate-key`."""

from __future__ import annotations

import sys

from hepar.core.settings import load_settings
from study_service.command_line import run_command
from study_service.settings import StudySettings

if __name__ == "__main__":
    sys.exit(run_command(lambda: load_settings(StudySettings), sys.argv[1:]))
