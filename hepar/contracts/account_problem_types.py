"""Types of problem of the account operations; a part of the catalogue in problem_types."""

from __future__ import annotations

from .problems import ProblemType

ACCOUNT_PROBLEM_TYPES: dict[str, ProblemType] = {
    "address-in-use": ProblemType(
        "An account with this address exists",
        (409,),
        "Someone has already signed up with this e-mail address.",
        "Sign in, or use another address.",
    ),
    "sign-up-closed": ProblemType(
        "Sign-up is closed",
        (403,),
        "The operator has disabled sign-up.",
        "Ask an administrator for an account.",
    ),
    "weak-password": ProblemType(
        "The password is too easy to guess",
        (422,),
        "It is shorter than 15 characters (12 with a second factor), common, or contains your name or address.",
        "Choose a long passphrase. Special characters are not required.",
    ),
    "wrong-password": ProblemType(
        "The password is wrong",
        (403,),
        "The password that confirms this change is not the account's password.",
        "Enter it again. After several wrong attempts there is a waiting time.",
    ),
    "wrong-credentials": ProblemType(
        "The address or the password is wrong",
        (400,),
        "No active account has this address and password. The response does not say which of the two is wrong.",
        "Enter both again. After several wrong attempts there is a waiting time.",
    ),
    "second-factor-required": ProblemType(
        "Send the code of your second factor as `otp`",
        (400,),
        "The account has a second factor.",
        "Repeat the request with the field `otp`: a code of your authenticator or a recovery code.",
    ),
    "wrong-code": ProblemType(
        "The code is wrong or was used before",
        (403,),
        "A code is valid for 30 seconds and single-use.",
        "Wait for the next code; check the clock of your device.",
    ),
    "wrong-otp": ProblemType(
        "The code is wrong or was used before",
        (400,),
        "The password was right, but not the field `otp`. A code is valid for 30 seconds and single-use.",
        "Wait for the next code; check the clock of your device.",
    ),
    "no-second-factor": ProblemType(
        "There is no second factor",
        (409,),
        "The account has no second factor, or it was not confirmed.",
        "Start with POST /v1/users/me/second-factor.",
    ),
    "second-factor-active": ProblemType(
        "A second factor is already active",
        (409,),
        "The account already has a second factor.",
        "Remove it before you set up another.",
    ),
    "account-not-active": ProblemType(
        "The account is not active",
        (400,),
        "The account waits for approval, or an administrator deactivated it.",
        "Ask an administrator.",
    ),
    "address-not-verified": ProblemType(
        "The e-mail address is not verified",
        (400,),
        "The account's address has not been confirmed by the link that was sent to it.",
        "Open the link in the e-mail, or request another one with POST /v1/address-verification.",
    ),
    "email-not-offered": ProblemType(
        "This server does not send such links",
        (404,),
        "The operator has not set up e-mail, or addresses are not verified here.",
        "Ask an administrator.",
    ),
    "invalid-link": ProblemType(
        "The link is not valid",
        (403,),
        "The link was used before, has expired, or the password was changed after it was sent.",
        "Request another link.",
    ),
    "invalid-token-request": ProblemType(
        "The token request is not valid",
        (400,),
        "A field that the grant type needs is missing, or a field does not match the OpenAPI document.",
        "Correct the fields in `errors`. Send the body as application/x-www-form-urlencoded.",
    ),
    "unsupported-grant-type": ProblemType(
        "The grant type is not supported",
        (400,),
        "`grant_type` is not `password`, `refresh_token` or `client_credentials`.",
        "Use one of the grants of /.well-known/oauth-authorization-server.",
    ),
    "invalid-grant": ProblemType(
        "The refresh token is not valid",
        (400,),
        "It expired, was revoked, or was used before; a token that is used twice ends its whole session.",
        "Sign in again.",
    ),
    "wrong-client": ProblemType(
        "The client or its secret is wrong",
        (401,),
        "No active client has this id and secret.",
        "Ask an administrator for a new secret.",
    ),
    "too-many-attempts": ProblemType(
        "Too many attempts",
        (429,),
        "There were several wrong passwords or codes for this account or many failures or sign-ups from this network.",
        "Wait for the seconds in Retry-After; each further attempt increases the waiting time.",
    ),
    "last-administrator": ProblemType(
        "This is the last administrator",
        (409,),
        "Without this account nobody could administer the system.",
        "Make another account an administrator first.",
    ),
    "no-such-account": ProblemType("There is no such account", (404,), "No account has this id.", "List the accounts."),
    "not-pending": ProblemType(
        "The account does not wait for approval",
        (409,),
        "It was approved or deactivated, or never needed approval.",
        "Read the account's status first.",
    ),
    "no-such-session": ProblemType(
        "There is no such session", (404,), "It has ended, or belongs to another account.", "List your sessions."
    ),
    "no-such-client": ProblemType("There is no such client", (404,), "No client has this id.", "List the clients."),
    "too-many-secrets": ProblemType(
        "The client has too many secrets",
        (409,),
        "A client has at most five secrets: the newest, and earlier ones that are still valid.",
        "Remove one that is no longer used.",
    ),
}
