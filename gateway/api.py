"""The public routes, all under /v1."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Request

from gateway.analysis import CLASSIFICATIONS, DETECTIONS, analyse
from gateway.settings import GatewaySettings
from gateway.upstream import Upstream
from hepar.contracts.accounts import AccessToken, Account, SignUp
from hepar.contracts.analyses import Analysis, Classification, Detection
from hepar.contracts.problems import Problem
from hepar.service.bearer import bearer_token
from hepar.service.deadlines import DEADLINE_HEADER, Deadline
from hepar.service.problems import Forbidden
from hepar.service.tokens import KeyCache, Principal, TokenRules
from hepar.service.uploads import IMAGE_OPENAPI, MULTIPART_OVERHEAD_BYTES, Frame, check_announced, limited

router = APIRouter(prefix="/v1", responses={"4XX": {"model": Problem}, "5XX": {"model": Problem}})

UPLOAD_PATHS = frozenset({"/v1/classifications", "/v1/detections", "/v1/analyses"})


@dataclass(frozen=True)
class House:
    """What the routes work with; made by the app's lifespan."""

    settings: GatewaySettings
    keys: KeyCache
    rules: TokenRules
    auth: Upstream
    classify: Upstream
    detect: Upstream


def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


HouseDep = Annotated[House, Depends(_house)]
TokenDep = Annotated[str, Depends(bearer_token)]


async def _analyst(token: TokenDep, house: HouseDep) -> Principal:
    principal = await house.keys.principal(token, house.rules)
    if "analyses" not in principal.scopes:
        raise Forbidden("the token lacks the scope `analyses`")
    return principal


def _deadline(request: Request, house: HouseDep) -> Deadline:
    return Deadline.from_header(request.headers.get(DEADLINE_HEADER), house.settings.deadline_s)


DeadlineDep = Annotated[Deadline, Depends(_deadline)]


@dataclass(frozen=True)
class Upload:
    """A checked but unread body, and the headers that say how to read it."""

    body: AsyncIterator[bytes]
    headers: dict[str, str]
    query: str


def _upload(request: Request, house: HouseDep, frame: Frame = None) -> Upload:
    check_announced(request, house.settings.upload_bytes_max)
    headers = {name: request.headers[name] for name in ("content-type",) if name in request.headers}
    body = limited(request.stream(), house.settings.upload_bytes_max + MULTIPART_OVERHEAD_BYTES)
    return Upload(body, headers, "" if frame is None else f"?frame={frame}")


UploadDep = Annotated[Upload, Depends(_upload)]


@router.post("/users", summary="Sign up", status_code=201, tags=["accounts"])
async def sign_up(form: SignUp, house: HouseDep) -> Account:
    """Makes an account."""
    deadline = Deadline.after(house.settings.account_deadline_s)
    content = form.model_dump_json().encode()
    headers = {"content-type": "application/json"}
    return await house.auth.call(Account, "POST", "/v1/users", deadline, headers=headers, content=content)


@router.post("/token", summary="Sign in", tags=["accounts"])
async def sign_in(
    house: HouseDep,
    username: Annotated[str, Form(max_length=254, description="the account's e-mail address")],
    password: Annotated[str, Form(max_length=1024)],
    grant_type: Annotated[str, Form(pattern="^password$")] = "password",
) -> AccessToken:
    """OAuth2 password grant (RFC 6749, section 4.3): an access token for ten minutes."""
    deadline = Deadline.after(house.settings.account_deadline_s)
    form = {"username": username, "password": password, "grant_type": grant_type}
    content = urlencode(form).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return await house.auth.call(AccessToken, "POST", "/v1/token", deadline, headers=headers, content=content)


@router.get("/users/me", summary="Who am I?", tags=["accounts"])
async def me(token: TokenDep, house: HouseDep) -> Account:
    """The account of the token."""
    await house.keys.principal(token, house.rules)
    deadline = Deadline.after(house.settings.account_deadline_s)
    headers = {"authorization": f"Bearer {token}"}
    return await house.auth.call(Account, "GET", "/v1/users/me", deadline, headers=headers)


@router.post(
    "/classifications",
    summary="Classify one CT image",
    tags=["analyses"],
    dependencies=[Depends(_analyst)],
    openapi_extra=IMAGE_OPENAPI,
)
async def classify(house: HouseDep, deadline: DeadlineDep, upload: UploadDep) -> Classification:
    """Cholangiocarcinoma, metastasis or no tumour, with each model's vote."""
    return await house.classify.call(
        Classification, "POST", CLASSIFICATIONS + upload.query, deadline, headers=upload.headers, content=upload.body
    )


@router.post(
    "/detections",
    summary="Find lesions in one CT image",
    tags=["analyses"],
    dependencies=[Depends(_analyst)],
    openapi_extra=IMAGE_OPENAPI,
)
async def detect(house: HouseDep, deadline: DeadlineDep, upload: UploadDep) -> Detection:
    """Boxes of lesions, fused over all detectors."""
    return await house.detect.call(
        Detection, "POST", DETECTIONS + upload.query, deadline, headers=upload.headers, content=upload.body
    )


@router.post(
    "/analyses",
    summary="Classify one CT image and find its lesions",
    tags=["analyses"],
    dependencies=[Depends(_analyst)],
    openapi_extra=IMAGE_OPENAPI,
)
async def analysis(house: HouseDep, deadline: DeadlineDep, upload: UploadDep) -> Analysis:
    """Both at once; a part that fails on its own says so in its place."""
    return await analyse(house.classify, house.detect, upload.body, upload.headers, deadline, upload.query)
