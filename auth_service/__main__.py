"""`python -m auth_service`."""

from auth_service.app import create_app
from auth_service.settings import AuthSettings
from hepar.service.app import run_app
from hepar.service.settings import load_settings

if __name__ == "__main__":
    settings = load_settings(AuthSettings)
    run_app("auth_service", create_app(settings), settings)
