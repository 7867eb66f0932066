"""The caller's password, second factor and recovery codes. Each operation asks for the password and a code again."""

from __future__ import annotations

from fastapi import APIRouter, Response

from auth_service import credentials
from auth_service.api.dependencies import CONFIRMATION_PROBLEMS, Dependencies, PersonDep
from hepar.contracts.accounts import (
    Confirmation,
    PasswordChange,
    RecoveryCodes,
    SecondFactor,
    SecondFactorActivation,
)
from hepar.web.openapi import problems

router = APIRouter(prefix="/v1/users", tags=["account"], responses=problems("unavailable"))


@router.put(
    "/me/password",
    summary="Change my password",
    status_code=204,
    responses=problems(*CONFIRMATION_PROBLEMS, "weak-password"),
)
async def change_password(form: PasswordChange, caller: PersonDep, dependencies: Dependencies) -> None:
    """Ends all sessions, the caller's own included: sign in again."""
    await credentials.change_password(dependencies, caller, form)


@router.post(
    "/me/second-factor",
    summary="Begin a second factor",
    status_code=201,
    responses=problems(*CONFIRMATION_PROBLEMS, "second-factor-active"),
)
async def begin_second_factor(
    form: Confirmation, caller: PersonDep, dependencies: Dependencies, response: Response
) -> SecondFactor:
    """Returns the secret for an authenticator application. It takes effect when a code of it has been confirmed."""
    response.headers["Location"] = "/v1/users/me/second-factor"
    return await credentials.begin_second_factor(dependencies, caller, form)


@router.put(
    "/me/second-factor",
    summary="Confirm my second factor",
    responses=problems(*CONFIRMATION_PROBLEMS, "no-second-factor", "second-factor-active"),
)
async def confirm_second_factor(
    form: SecondFactorActivation, caller: PersonDep, dependencies: Dependencies
) -> RecoveryCodes:
    """Takes the authenticator's first code and returns recovery codes, which are shown only here. From now on signing
    in needs a code.
    """
    return RecoveryCodes(codes=await credentials.activate_second_factor(dependencies, caller, form))


@router.delete(
    "/me/second-factor",
    summary="Remove my second factor",
    status_code=204,
    responses=problems(*CONFIRMATION_PROBLEMS, "no-second-factor", "weak-password"),
)
async def remove_second_factor(form: Confirmation, caller: PersonDep, dependencies: Dependencies) -> None:
    """Signing in needs the password alone again. A password of fewer than 15 characters must be changed first."""
    await credentials.remove_second_factor(dependencies, caller, form)


@router.post(
    "/me/recovery-codes",
    summary="Renew my recovery codes",
    status_code=201,
    responses=problems(*CONFIRMATION_PROBLEMS, "no-second-factor"),
)
async def renew_recovery_codes(
    form: Confirmation, caller: PersonDep, dependencies: Dependencies, response: Response
) -> RecoveryCodes:
    """Invalidates the earlier codes. The new ones are shown only here."""
    response.headers["Location"] = "/v1/users/me/recovery-codes"
    return RecoveryCodes(codes=await credentials.renew_recovery_codes(dependencies, caller, form))
