"""Routes of auth_service."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request

from auth_service.accounts import Accounts
from auth_service.store import StoredAccount
from hepar.contracts.accounts import AccessToken, Account, PublicKeys, SignUp
from hepar.contracts.problems import Problem
from hepar.service.bearer import bearer_token

router = APIRouter(tags=["accounts"], responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})


def _accounts(request: Request) -> Accounts:
    accounts: Accounts = request.app.state.accounts
    return accounts


AccountsDep = Annotated[Accounts, Depends(_accounts)]
TokenDep = Annotated[str, Depends(bearer_token)]


@router.post("/v1/users", summary="Sign up", status_code=201)
async def sign_up(form: SignUp, accounts: AccountsDep) -> Account:
    """Makes an account. The password is stored as an argon2id hash only."""
    return _shaped(await accounts.sign_up(form.email, form.password))


@router.post("/v1/token", summary="Sign in")
async def sign_in(
    accounts: AccountsDep,
    username: Annotated[str, Form(max_length=254, description="the account's e-mail address")],
    password: Annotated[str, Form(max_length=1024)],
    grant_type: Annotated[str, Form(pattern="^password$")] = "password",
) -> AccessToken:
    """OAuth2 password grant (RFC 6749, section 4.3): an access token for ten minutes."""
    del grant_type
    return await accounts.sign_in(username, password)


@router.get("/v1/users/me", summary="Who am I?")
async def me(token: TokenDep, accounts: AccountsDep) -> Account:
    """The account of the token."""
    return _shaped(await accounts.of_token(token))


@router.get("/.well-known/jwks.json", summary="Public keys", tags=["keys"])
async def public_keys(accounts: AccountsDep) -> PublicKeys:
    """The keys that verify access tokens (RFC 7517)."""
    return accounts.public_keys()


def _shaped(account: StoredAccount) -> Account:
    # SQLite forgets the time zone; what is stored is UTC.
    return Account(id=account.id, email=account.email, created_at=account.created_at.replace(tzinfo=UTC))
