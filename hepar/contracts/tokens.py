"""Access tokens: requests for them, and what verifies them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .base import Document, example_of, with_example

STUDY_WORKER = "study-worker"
"""Client of our own workers, whose secret is a setting of auth_service; its tokens have a scope that no other has."""
GrantType = Literal["password", "refresh_token", "client_credentials"]


class TokenRequest(BaseModel):
    """OAuth 2.0 token request (RFC 6749). Unknown fields are ignored, as section 3.2 demands."""

    model_config = ConfigDict(frozen=True) | with_example(
        {"grant_type": "password", "username": "ada@example.org", "password": "seven herons over a frozen lake"}
    )

    grant_type: GrantType = Field(
        default="password",
        description="`password` for people, `refresh_token` to renew, `client_credentials` for hospital systems",
    )
    username: str | None = Field(
        default=None, max_length=254, description="grant `password`: the account's e-mail address"
    )
    password: str | None = Field(default=None, max_length=1024, repr=False, description="grant `password`")
    otp: str | None = Field(
        default=None,
        max_length=40,
        repr=False,
        description="grant `password`: the code of the second factor, or a recovery code",
    )
    device: str | None = Field(
        default=None,
        max_length=1024,
        repr=False,
        description="grant `password`: device tokens of earlier sign-ins from this device, separated by spaces. With "
        "one of the account, wrong attempts elsewhere do not delay this sign-in",
    )
    refresh_token: str | None = Field(
        default=None, max_length=4096, repr=False, description="grant `refresh_token`: can be used once"
    )
    client_id: str | None = Field(
        default=None, max_length=254, description="grant `client_credentials`; or as HTTP Basic user name"
    )
    client_secret: str | None = Field(
        default=None, max_length=4096, repr=False, description="grant `client_credentials`; or as HTTP Basic password"
    )
    scope: str | None = Field(
        default=None,
        max_length=256,
        description="a subset of the allowed scopes, separated by spaces; all of them where it is missing",
    )


class TokenRevocation(BaseModel):
    """OAuth 2.0 token revocation (RFC 7009). Unknown fields, `token_type_hint` among them, are ignored."""

    model_config = ConfigDict(frozen=True) | with_example({"token": "the refresh token"})

    token: str = Field(min_length=1, max_length=4096, repr=False, description="a refresh token or an access token")


class AccessToken(Document):
    """The answer of the OAuth 2.0 token endpoint (RFC 6749, section 5.1)."""

    model_config = with_example(
        {
            "access_token": "eyJhbGciOiJFUzI1NiIs...",
            "token_type": "bearer",
            "expires_in": 600,
            "scope": "account analyses models",
            "refresh_token": "v9Jc...",
            "device": "0f8b7a6c5d4e3f2a...",
        }
    )

    access_token: str = Field(repr=False, description="a signed JWT (RFC 9068): send it as `Authorization: Bearer`")
    token_type: Literal["bearer"] = Field(default="bearer", description="always `bearer`")
    expires_in: int = Field(gt=0, description="seconds")
    scope: str = Field(description="the scopes of the token, separated by spaces")
    refresh_token: str | None = Field(
        default=None,
        repr=False,
        description="can be used once; the answer holds its successor. Null for `client_credentials`",
    )
    device: str | None = Field(
        default=None,
        repr=False,
        description="grant `password`: a device token. Keep it after signing out, and send it with the next sign-in",
    )


class PublicKey(Document):
    """One EC P-256 verification key (RFC 7517, RFC 7518 section 6.2)."""

    model_config = with_example(
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            "kid": "2026-11",
            "alg": "ES256",
            "use": "sig",
        }
    )

    kty: Literal["EC"] = Field(description="key type")
    crv: Literal["P-256"] = Field(description="curve")
    x: str = Field(description="coordinate, base64url")
    y: str = Field(description="coordinate, base64url")
    kid: str = Field(description="the `kid` of the tokens that it verifies")
    alg: Literal["ES256"] = Field(description="algorithm")
    use: Literal["sig"] = Field(description="for signatures")


class PublicKeys(Document):
    """A JSON Web Key Set."""

    model_config = with_example({"keys": [example_of(PublicKey)]})

    keys: list[PublicKey] = Field(description="the key in use, and older ones until their tokens have expired")


class AuthorizationServer(Document):
    """Authorization server metadata (RFC 8414)."""

    model_config = with_example(
        {
            "issuer": "hepar-auth",
            "token_endpoint": "https://hepar.example.org/v1/token",
            "revocation_endpoint": "https://hepar.example.org/v1/token/revoke",
            "jwks_uri": "https://hepar.example.org/.well-known/jwks.json",
            "scopes_supported": ["account", "analyses"],
            "grant_types_supported": ["password", "refresh_token", "client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "revocation_endpoint_auth_methods_supported": ["none"],
        }
    )

    issuer: str = Field(description="`iss` of the tokens")
    token_endpoint: str = Field(description="URL")
    revocation_endpoint: str = Field(description="URL")
    jwks_uri: str = Field(description="URL of the public keys")
    scopes_supported: list[str] = Field(description="every scope")
    grant_types_supported: list[str] = Field(description="the grants of the token endpoint")
    response_types_supported: list[str] = Field(description="empty: there is no authorization endpoint")
    token_endpoint_auth_methods_supported: list[str] = Field(description="how a client authenticates")
    revocation_endpoint_auth_methods_supported: list[str] = Field(description="`none`: the token itself is sufficient")
