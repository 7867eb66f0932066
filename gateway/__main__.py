"""`python -m gateway`."""

from gateway.app import create_app
from gateway.settings import GatewaySettings
from hepar.core.settings import load_settings
from hepar.web.app import run_app

if __name__ == "__main__":
    settings = load_settings(GatewaySettings)
    run_app("gateway", create_app(settings), settings, settings.trusted_proxies, settings.address_connections_max)
