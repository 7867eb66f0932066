"""`python -m auth_service`: serve, or one of the commands."""

import sys

from auth_service.app import create_app
from auth_service.command_line import run_command
from auth_service.settings import AuthSettings
from hepar.core.settings import load_settings
from hepar.web.app import run_app

if __name__ == "__main__":
    settings = load_settings(AuthSettings)
    if len(sys.argv) > 1:
        sys.exit(run_command(settings, sys.argv[1:]))
    run_app("auth_service", create_app(settings), settings)
