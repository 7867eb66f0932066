"""Forgotten passwords and the verification of addresses, by links in e-mails."""

from __future__ import annotations

from fastapi import APIRouter

from auth_service import email_links
from auth_service.api.dependencies import Dependencies, OriginDep
from hepar.contracts.accounts import AccountOptions, AddressVerification, LinkRequest, PasswordReset
from hepar.web.openapi import problems

router = APIRouter(prefix="/v1", tags=["account"], responses=problems("unavailable"))
_REQUESTING = problems("email-not-offered", "too-many-attempts")


@router.get("/account-options", summary="What this server offers to people without a session")
async def get_account_options(dependencies: Dependencies) -> AccountOptions:
    """For the sign-in page: show only what is offered."""
    offered = email_links.offered_links(dependencies)
    return AccountOptions(
        sign_up=dependencies.settings.signup,
        password_reset="password_reset" in offered,
        address_verification="address_verification" in offered,
    )


@router.post("/password-reset", summary="Send a link for a forgotten password", status_code=202, responses=_REQUESTING)
async def request_password_reset(form: LinkRequest, dependencies: Dependencies, origin: OriginDep) -> None:
    """Sends a link to the address if it belongs to an active account. The answer is the same if it does not."""
    await email_links.request_link(dependencies, "password_reset", form.email, origin)


@router.put(
    "/password-reset",
    summary="Set a new password with a link",
    status_code=204,
    responses=problems("email-not-offered", "invalid-link", "weak-password", "too-many-attempts"),
)
async def reset_password(form: PasswordReset, dependencies: Dependencies, origin: OriginDep) -> None:
    """Takes the token of the link, which is valid once, for 30 minutes. All sessions end; a second factor stays."""
    await email_links.reset_password(dependencies, form.token, form.new_password, origin)


@router.post(
    "/address-verification", summary="Send the link again that verifies an address", status_code=202,
    responses=_REQUESTING,
)  # fmt: skip
async def request_address_verification(form: LinkRequest, dependencies: Dependencies, origin: OriginDep) -> None:
    """Sends a link to the address if an account waits for its confirmation. The answer is the same if none does."""
    await email_links.request_link(dependencies, "address_verification", form.email, origin)


@router.put(
    "/address-verification",
    summary="Verify an address with a link",
    status_code=204,
    responses=problems("email-not-offered", "invalid-link"),
)
async def verify_address(form: AddressVerification, dependencies: Dependencies, origin: OriginDep) -> None:
    """Takes the token of the link, which is valid once, for a day."""
    await email_links.verify_address(dependencies, form.token, origin)
