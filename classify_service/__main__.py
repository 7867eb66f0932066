"""`python -m classify_service`."""

from classify_service.app import create_app
from classify_service.settings import ClassifySettings
from hepar.core.settings import load_settings
from hepar.web.app import run_app

if __name__ == "__main__":
    settings = load_settings(ClassifySettings)
    run_app("classify_service", create_app(settings), settings)
