"""Signing up, signing in, and whose a token is."""

from __future__ import annotations

from jose.backends.base import Key

from auth_service.passwords import PasswordHasher
from auth_service.store import AccountStore, AddressTaken, StoredAccount
from auth_service.tokens import SCOPE, TokenIssuer
from hepar.contracts.accounts import AccessToken, PublicKeys
from hepar.service.problems import ClientError, Unauthenticated
from hepar.service.tokens import TokenRules, read_token, verification_keys


class AddressInUse(ClientError):
    """Somebody signed up with this address before."""

    status, title, slug = 409, "There is an account with this address", "address-in-use"


class WrongCredentials(Unauthenticated):
    """One answer for an unknown address and for a wrong password."""

    title, slug = "The address or the password is wrong", "wrong-credentials"


class Accounts:
    def __init__(self, store: AccountStore, hasher: PasswordHasher, issuer: TokenIssuer) -> None:
        self._store = store
        self._hasher = hasher
        self._issuer = issuer
        self._rules = TokenRules(issuer.issuer, issuer.audience)
        self._keys: dict[str, Key] = verification_keys(self.public_keys())

    async def sign_up(self, email: str, password: str) -> StoredAccount:
        """Raises AddressInUse."""
        try:
            return await self._store.add(email, await self._hasher.hash(password))
        except AddressTaken as error:
            raise AddressInUse from error

    async def sign_in(self, email: str, password: str) -> AccessToken:
        """Raises WrongCredentials, after the same work whichever of the two is wrong."""
        account = await self._store.by_email(email)
        matches = await self._hasher.verify(password, account.password_hash if account else None)
        if account is None or not matches:
            raise WrongCredentials
        token = self._issuer.issue(account.id)
        return AccessToken(access_token=token, expires_in=self._issuer.lifetime_s, scope=SCOPE)

    async def of_token(self, token: str) -> StoredAccount:
        """Raises Unauthenticated for a bad token and for one whose account is gone."""
        principal = read_token(token, self._keys, self._rules)
        account = await self._store.by_id(principal.subject)
        if account is None:
            raise Unauthenticated("the account is gone")
        return account

    def public_keys(self) -> PublicKeys:
        return PublicKeys(keys=[self._issuer.public_key])
