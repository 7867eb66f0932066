"""Every guarded route with every defect of a token, and with valid tokens in the wrong place."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from jose import jws

from auth_service.keys import SigningKey
from tests.auth_service.test_access import GUARDED, call
from tests.support.auth_client import PASSWORD, AuthTestClient


@dataclass
class Forge:
    """Creates defective tokens. person: the account that they name."""

    auth: AuthTestClient
    person: str

    @property
    def key(self) -> SigningKey:
        return self.auth.dependencies.issuer.keys.signing()

    def good(self) -> str:
        return str(self.auth.tokens()["access_token"])

    def parts(self) -> list[str]:
        return self.good().split(".")

    def claims(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(decoded(self.parts()[1]))
        return document

    def signed(self, claims: dict[str, Any] | bytes, key: SigningKey | None = None, **header: Any) -> str:  # noqa: ANN401
        """A valid signature over the given claims."""
        content = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        head = {"alg": "ES256", "kid": self.key.public.kid, "typ": "at+jwt"} | header
        return self.sealed(json.dumps({k: v for k, v in head.items() if v is not None}).encode(), content, key)

    def sealed(self, header: bytes, content: bytes, key: SigningKey | None = None) -> str:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

        message = f"{encoded(header)}.{encoded(content)}".encode()
        private = serialization.load_pem_private_key((key or self.key).pem.encode(), None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))
        return f"{message.decode()}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def without(self, claim: str) -> str:
        return self.signed({name: value for name, value in self.claims().items() if name != claim})

    def changed(self, **changes: object) -> str:
        return self.signed(self.claims() | changes)

    def headed(self, **header: Any) -> str:  # noqa: ANN401
        return self.signed(self.claims(), **header)

    def hs256(self, secret: bytes) -> str:
        header = {"alg": "HS256", "kid": self.key.public.kid, "typ": "at+jwt"}
        message = f"{encoded(json.dumps(header).encode())}.{self.parts()[1]}"
        return f"{message}.{encoded(hmac.new(secret, message.encode(), hashlib.sha256).digest())}"

    def spoiled(self, part: int, character: str) -> str:
        parts = self.parts()
        parts[part] = parts[part][:5] + character + parts[part][5:]
        return ".".join(parts)

    def padded(self, part: int) -> str:
        parts = self.parts()
        parts[part] += "="
        return ".".join(parts)

    def resigned(self, signature: bytes) -> str:
        return ".".join([*self.parts()[:2], encoded(signature)])

    def public_pem(self) -> bytes:
        from cryptography.hazmat.primitives import serialization

        private = serialization.load_pem_private_key(self.key.pem.encode(), None)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return private.public_key().public_bytes(serialization.Encoding.PEM, form)

    def revoked(self) -> str:
        token = self.good()
        assert self.auth.client.post("/v1/token/revoke", data={"token": token}).status_code == 200
        return token

    def of(self, email: str, change: str) -> str:
        """A token of an account that was deactivated or deleted afterwards."""
        identity = self.auth.person("administrator", email)
        token = str(self.auth.tokens(email)["access_token"])
        administrator = self.auth.bearer()
        method, path = ("DELETE", "") if change == "deleted" else ("POST", "/deactivate")
        confirmation = {"password": PASSWORD} if change == "deleted" else None
        url = f"/v1/users/{identity}{path}"
        answer = self.auth.client.request(method, url, headers=administrator, json=confirmation)
        assert answer.status_code in (200, 204)
        return token

    def of_ended_session(self) -> str:
        tokens = self.auth.tokens()
        self.auth.client.post("/v1/token/revoke", data={"token": tokens["refresh_token"]})
        return str(tokens["access_token"])

    def in_another_ones_session(self) -> str:
        self.auth.person("clinician", "other@example.org")
        other = json.loads(decoded(self.auth.tokens("other@example.org")["access_token"].split(".")[1]))
        return self.changed(sid=other["sid"])

    def of_a_gone_client(self) -> str:
        administrator = self.auth.bearer()
        client = self.auth.client.post(
            "/v1/clients", json={"name": "PACS", "password": PASSWORD}, headers=administrator
        ).json()
        token = self.auth.dependencies.issuer.issue(client["id"], "account users clients audit")
        path = f"/v1/clients/{client['id']}"
        self.auth.client.request("DELETE", path, json={"password": PASSWORD}, headers=administrator)
        return token


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


NOBODY = "0" * 32
LATER = int(time.time()) + 7200
Defect = Callable[[Forge], str]
CLAIMS = ("exp", "iat", "nbf", "iss", "aud", "sub", "jti", "scope")
DEFECTS: dict[str, Defect] = {
    "empty": lambda _: "",
    "garbage": lambda _: "garbage",
    "three dots": lambda _: "...",
    "two parts": lambda f: ".".join(f.parts()[:2]),
    "four parts": lambda f: f.good() + ".e30",
    "five parts, as if encrypted": lambda f: f.good() + ".e30.e30",
    "1 MB": lambda f: f.good() + "A" * 1_000_000,
    "4 KB of signature": lambda f: f.good() + "A" * 4096,
    "nested brackets": lambda _: encoded(b"[" * 1500) + ".e30.AA",
    "nested objects": lambda _: encoded(b'{"a":' * 150) + ".e30.AA",
    "header is no JSON": lambda f: ".".join([encoded(b"\xff\xfe"), *f.parts()[1:]]),
    "header is a list": lambda f: f.sealed(b"[]", json.dumps(f.claims()).encode()),
    "expired": lambda f: f.changed(exp=int(time.time()) - 60),
    "expired long ago": lambda f: f.changed(exp=0),
    "negative exp": lambda f: f.changed(exp=-1),
    "not yet valid": lambda f: f.changed(nbf=LATER),
    "issued in the future": lambda f: f.changed(iat=LATER),
    "wrong issuer": lambda f: f.changed(iss="https://evil.example"),
    "issuer with a space": lambda f: f.changed(iss="hepar-auth "),
    "wrong audience": lambda f: f.changed(aud="another"),
    "list of audiences": lambda f: f.changed(aud=["hepar"]),
    "another key": lambda f: f.signed(f.claims(), SigningKey.fresh()),
    "another key and its own kid": lambda f: f.signed(f.claims(), key := SigningKey.fresh(), kid=key.public.kid),
    "alg none": lambda f: ".".join([encoded(b'{"alg":"none","typ":"at+jwt"}'), f.parts()[1], ""]),
    "alg none with a signature": lambda f: f.headed(alg="none"),
    "alg nOnE": lambda f: f.headed(alg="nOnE"),
    "alg missing": lambda f: f.headed(alg=None),
    "alg a list": lambda f: f.headed(alg=["ES256"]),
    "alg ES384": lambda f: f.headed(alg="ES384"),
    "alg RS256": lambda f: f.headed(alg="RS256"),
    "HS256 with the public key": lambda f: f.hs256(f.public_pem()),
    "HS256 with the public JWK": lambda f: f.hs256(f.key.public.model_dump_json().encode()),
    "HS256 with nothing": lambda f: f.hs256(b""),
    "kid a path": lambda f: f.headed(kid="../../../../dev/null"),
    "kid SQL": lambda f: f.headed(kid="x' UNION SELECT 'key'; --"),
    "kid a URL": lambda f: f.headed(kid="http://127.0.0.1/key"),
    "kid missing": lambda f: f.headed(kid=None),
    "kid a number": lambda f: f.headed(kid=7),
    "kid an object": lambda f: f.headed(kid={"a": 1}),
    "kid empty": lambda f: f.headed(kid=""),
    "jwk header": lambda f: f.signed(
        f.claims(), key := SigningKey.fresh(), jwk=key.public.model_dump(), kid=key.public.kid
    ),
    "jku header": lambda f: f.headed(jku="http://127.0.0.1:1/keys"),
    "x5u header": lambda f: f.headed(x5u="http://127.0.0.1:1/chain"),
    "x5c header": lambda f: f.headed(x5c=["MIIB"]),
    "crit header": lambda f: f.headed(crit=["exp"]),
    "b64 header": lambda f: f.headed(b64=False),
    "zip header": lambda f: f.headed(zip="DEF"),
    "typ JWT": lambda f: f.headed(typ="JWT"),
    "typ missing": lambda f: f.headed(typ=None),
    "alg twice": lambda f: f.sealed(
        f'{{"alg":"none","alg":"ES256","kid":"{f.key.public.kid}","typ":"at+jwt"}}'.encode(),
        json.dumps(f.claims()).encode(),
    ),
    "duplicate claims": lambda f: f.signed(json.dumps(f.claims())[:-1].encode() + b',"sub":"somebody else"}'),
    "duplicate exp": lambda f: f.signed(b'{"exp":1,' + json.dumps(f.claims()).encode()[1:]),
    "exp a string": lambda f: f.changed(exp=str(LATER)),
    "exp Infinity": lambda f: f.changed(exp=float("inf")),
    "exp NaN": lambda f: f.changed(exp=float("nan")),
    "exp a fraction": lambda f: f.changed(exp=LATER + 0.5),
    "exp true": lambda f: f.changed(exp=True),
    "exp null": lambda f: f.changed(exp=None),
    "exp a list": lambda f: f.changed(exp=[LATER]),
    "sub a number": lambda f: f.changed(sub=1),
    "sub nobody": lambda f: f.changed(sub=NOBODY),
    "scope a list": lambda f: f.changed(scope=["account", "users"]),
    "claims a list": lambda f: f.signed(b"[]"),
    "claims no JSON": lambda f: f.signed(b"no"),
    "claims in UTF-16": lambda f: f.signed(json.dumps(f.claims()).encode("utf-16")),
    "no signature": lambda f: ".".join([*f.parts()[:2], ""]),
    "signature of zeros": lambda f: f.resigned(bytes(64)),
    "signature cut": lambda f: f.good()[:-4],
    "signature of another token": lambda f: ".".join([*f.changed(jti="x").split(".")[:2], f.parts()[2]]),
    "signature in DER": lambda f: f.resigned(b"0D\x02 " + b"\x01" * 32 + b"\x02 " + b"\x01" * 32),
    "refresh token": lambda f: str(f.auth.tokens()["refresh_token"]),
    "revoked": lambda f: f.revoked(),
    "deactivated": lambda f: f.of("leaver@example.org", "deactivated"),
    "deleted": lambda f: f.of("gone@example.org", "deleted"),
    "session ended": lambda f: f.of_ended_session(),
    "session of another": lambda f: f.in_another_ones_session(),
    "session unknown": lambda f: f.changed(sid=uuid.uuid4().hex),
    "session a number": lambda f: f.changed(sid=1),
    "session missing": lambda f: f.without("sid"),
    "client gone": lambda f: f.of_a_gone_client(),
    "another JWS of ours": lambda f: str(jws.sign(b"{}", f.key.pem, algorithm="ES256")),
}
DEFECTS |= {f"{claim} missing": lambda f, claim=claim: f.without(claim) for claim in CLAIMS}  # type: ignore[misc]
for number, where in enumerate(("header", "claims", "signature")):
    DEFECTS[f"padding in the {where}"] = lambda f, number=number: f.padded(number)  # type: ignore[misc]
    for character in (" ", "+", "/", "\t", "\u00e9", "\x00"):
        DEFECTS[f"{character!r} in the {where}"] = lambda f, number=number, character=character: f.spoiled(  # type: ignore[misc]
            number, character
        )


OF_STORED_STATE = (
    "sub nobody",
    "revoked",
    "deactivated",
    "deleted",
    "session ended",
    "session of another",
    "session unknown",
    "client gone",
)
"""The defects that are found by asking the database; the others are found without it."""


@pytest.mark.parametrize(
    ("database_url", "defects"),
    [("sqlite", tuple(DEFECTS)), ("postgresql", OF_STORED_STATE)],
    indirect=["database_url"],
    ids=["sqlite", "postgresql"],
)
def test_a_defective_token_is_refused_everywhere(auth: AuthTestClient, defects: tuple[str, ...]) -> None:
    assert len(DEFECTS) >= 60
    forge = Forge(auth, auth.person("administrator"))
    assert call(auth, ("GET", "/v1/users"), {"authorization": f"Bearer {forge.signed(forge.claims())}"}) == 200
    for name in defects:
        header = [(b"authorization", b"Bearer " + DEFECTS[name](forge).encode())]
        for route in GUARDED:
            status = call(auth, route, header)
            expected = 431 if name == "1 MB" else 401 if header[0][1].isascii() else 400
            assert status == expected, (name, route)


HEADERS: dict[str, list[tuple[str, str]]] = {
    "none": [],
    "empty": [("authorization", "")],
    "scheme alone": [("authorization", "Bearer")],
    "another scheme": [("authorization", "Basic YTpi")],
    "no scheme": [("authorization", "TOKEN")],
    "twice": [("authorization", "Bearer TOKEN"), ("authorization", "Bearer TOKEN")],
    "two tokens": [("authorization", "Bearer TOKEN TOKEN")],
    "in quotes": [("authorization", 'Bearer "TOKEN"')],
    "in a cookie": [("cookie", "access_token=TOKEN")],
    "in another header": [("x-access-token", "TOKEN")],
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_valid_token_in_the_wrong_place_is_refused(auth: AuthTestClient, name: str) -> None:
    auth.person("administrator")
    token = auth.tokens()["access_token"]
    headers = [(key, value.replace("TOKEN", token)) for key, value in HEADERS[name]]
    for route in GUARDED:
        assert call(auth, route, headers) == (400 if name == "twice" else 401), route


def test_a_token_in_the_query_is_an_unknown_parameter(auth: AuthTestClient) -> None:
    auth.person("administrator")
    token = auth.tokens()["access_token"]
    assert auth.client.get("/v1/users", params={"access_token": token}).status_code == 422
    answer = auth.client.get("/v1/users")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_a_password_is_not_accepted_as_a_token(auth: AuthTestClient) -> None:
    auth.person("administrator")
    assert call(auth, ("GET", "/v1/users"), {"authorization": f"Bearer {PASSWORD}"}) == 401
