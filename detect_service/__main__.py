"""`python -m detect_service`."""

from detect_service.app import create_app
from detect_service.settings import DetectSettings
from hepar.core.settings import load_settings
from hepar.web.app import run_app

if __name__ == "__main__":
    settings = load_settings(DetectSettings)
    run_app("detect_service", create_app(settings), settings)
