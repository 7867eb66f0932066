"""`python -m gateway`."""

from gateway.app import create_app
from gateway.settings import GatewaySettings
from hepar.service.app import run_app
from hepar.service.settings import load_settings

if __name__ == "__main__":
    settings = load_settings(GatewaySettings)
    run_app("gateway", create_app(settings), settings, settings.trusted_proxies)
