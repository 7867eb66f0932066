"""What verifiers and OAuth2 libraries read by themselves."""

from __future__ import annotations

from fastapi import APIRouter

from auth_service.api.dependencies import PROBLEMS, Dependencies
from auth_service.roles import SCOPES
from hepar.contracts.accounts import AuthorizationServer, PublicKeys

router = APIRouter(prefix="/.well-known", tags=["keys"], responses={503: PROBLEMS[503]})


@router.get("/jwks.json", summary="Public keys")
async def public_keys(dependencies: Dependencies) -> PublicKeys:
    """The keys that verify access tokens (RFC 7517): today's, and those before it whose tokens may be about."""
    return dependencies.public_keys()


@router.get("/oauth-authorization-server", summary="Where what is")
async def discovery(dependencies: Dependencies) -> AuthorizationServer:
    """RFC 8414."""
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
