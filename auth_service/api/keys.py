"""What verifiers of tokens and OAuth 2.0 libraries read by themselves."""

from __future__ import annotations

from fastapi import APIRouter

from auth_service.api.dependencies import Dependencies
from auth_service.roles import SCOPES
from hepar.contracts.tokens import AuthorizationServer, PublicKeys

router = APIRouter(prefix="/.well-known", tags=["keys"])


@router.get("/jwks.json", summary="Read the public keys")
async def get_keys(dependencies: Dependencies) -> PublicKeys:
    """A JSON Web Key Set (RFC 7517) to verify access tokens with: the key in use, and older ones whose tokens may
    still be valid.
    """
    return dependencies.public_keys()


@router.get("/oauth-authorization-server", summary="Read the authorization server's metadata")
async def get_authorization_server(dependencies: Dependencies) -> AuthorizationServer:
    """The addresses and abilities of the OAuth 2.0 endpoints (RFC 8414)."""
    root = dependencies.settings.public_url.rstrip("/")
    methods = ["client_secret_basic", "client_secret_post"]
    return AuthorizationServer(
        issuer=dependencies.settings.issuer,
        token_endpoint=f"{root}/v1/token",
        revocation_endpoint=f"{root}/v1/token/revoke",
        jwks_uri=f"{root}/.well-known/jwks.json",
        scopes_supported=sorted(set().union(*SCOPES.values())),
        grant_types_supported=["password", "refresh_token", "client_credentials"],
        response_types_supported=[],
        token_endpoint_auth_methods_supported=[*methods, "none"],
        revocation_endpoint_auth_methods_supported=["none"],
    )
