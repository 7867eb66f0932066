"""Routes of auth_service, a module a topic."""

from fastapi import FastAPI

from auth_service.api import administration, audit, clients, credentials, email_links, keys, tokens, users


def install_routes(app: FastAPI) -> None:
    for topic in (users, credentials, email_links, tokens, administration, audit, clients, keys):
        app.include_router(topic.router)
