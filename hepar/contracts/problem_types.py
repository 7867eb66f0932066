"""Every kind of problem that the public API answers with: what it means and what to do. Its `type` ends in the name."""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "/problems/"


@dataclass(frozen=True)
class ProblemType:
    """A page of the documentation. statuses: with which it comes."""

    title: str
    statuses: tuple[int, ...]
    cause: str
    cure: str


PROBLEM_TYPES: dict[str, ProblemType] = {
    "invalid-request": ProblemType(
        "The request is not valid",
        (400, 422),
        "A field, a parameter or the body is missing or not what the OpenAPI document says; `detail` names it.",
        "Mend what `detail` names. The same request will fail again.",
    ),
    "unreadable-image": ProblemType(
        "The file is not a readable image",
        (422,),
        "The bytes begin like an image but are broken, cut off, empty, too small, without any contrast, or take "
        "longer than a slice may take to decode.",
        "Open the file in another viewer; export the slice again. Send one whole file, not a part of it.",
    ),
    "unsupported-media": ProblemType(
        "The format is not supported",
        (415,),
        "The bytes are not PNG, JPEG, TIFF, BMP, WebP or DICOM CT, or the Content-Type is neither multipart/form-"
        "data nor that of an image. What a file is is found from its bytes, never from its name.",
        "Send one of these formats. Of DICOM only CT is read; other modalities are refused.",
    ),
    "too-large": ProblemType(
        "The upload is too large",
        (413,),
        "More bytes, pixels, frames or images than the published limits: 20 MB and 64 megapixels a picture, 64 MB a"
        " DICOM file or a batch, 32 images a batch, 64 KB of any other body.",
        "Send single slices, not volumes; split a batch.",
    ),
    "bad-content-length": ProblemType(
        "The Content-Length is not a number",
        (400,),
        "The header Content-Length holds something else than digits.",
        "Leave it to your HTTP library.",
    ),
    "headers-too-large": ProblemType(
        "The headers are too large",
        (431,),
        "More than 100 headers, or more than 16 KB of them.",
        "Remove cookies and headers that this API does not need.",
    ),
    "url-too-long": ProblemType(
        "The address is too long",
        (414,),
        "Path and query have more than 4 KB.",
        "Ask for fewer things in one request.",
    ),
    "unknown-host": ProblemType(
        "The Host header is not acceptable",
        (400,),
        "The request names no host, two hosts, or one that this server does not serve.",
        "Use the address that you were given; operators add names to HEPAR_GATEWAY_HOSTS.",
    ),
    "http-404": ProblemType(
        "There is nothing here",
        (404,),
        "The path is none of this API.",
        "See the OpenAPI document at /v1/openapi.json.",
    ),
    "http-405": ProblemType(
        "This method is not allowed here",
        (405,),
        "The path exists, but not with this method.",
        "The header Allow names those that it has.",
    ),
    "unauthenticated": ProblemType(
        "Sign in first",
        (401,),
        "There is no access token, or it has expired, was revoked or does not count here.",
        "Get a token from POST /v1/token and send it as `Authorization: Bearer <token>`. Access tokens live for ten"
        " minutes: exchange the refresh token for a new one.",
    ),
    "forbidden": ProblemType(
        "Not allowed",
        (403,),
        "The token is good but lacks the scope that `detail` names: the account's role does not include it.",
        "Ask an administrator for another role.",
    ),
    "rate-limited": ProblemType(
        "Too many requests from you",
        (429,),
        "This account, or this network address, sent more requests than its share. The headers RateLimit-Policy and "
        "RateLimit tell the share and what is left of it.",
        "Wait for the seconds of Retry-After. Batches count as one request.",
    ),
    "busy": ProblemType(
        "Too many requests at the moment",
        (503,),
        "The server has as many requests under way as it takes; it keeps no queue.",
        "Wait for the seconds of Retry-After and send the request again.",
    ),
    "unavailable": ProblemType(
        "Not available at the moment",
        (503,),
        "A part of the system that this answer needs does not answer now.",
        "Wait for the seconds of Retry-After and send the request again. /readyz says which part it is.",
    ),
    "below-quorum": ProblemType(
        "Too few models answered",
        (503,),
        "Some networks answered, but fewer than the operator asks for before a verdict is given.",
        "Wait for the seconds of Retry-After and send the request again.",
    ),
    "deadline-exceeded": ProblemType(
        "The answer was not ready in time",
        (504,),
        "The work took longer than the server's limit, or than your own X-Hepar-Timeout-Ms.",
        "Grant more time if you granted little; else send the request again later.",
    ),
    "upload-too-slow": ProblemType(
        "The upload did not arrive in time",
        (408,),
        "The body stopped arriving, or arrived so slowly that the request ran out of time.",
        "Send it again over a better connection.",
    ),
    "bad-upstream": ProblemType(
        "A part of the system gave a wrong answer",
        (502,),
        "An answer inside the system broke its own promise and was not passed on.",
        "Tell the operator the request_id.",
    ),
    "internal-error": ProblemType(
        "Something went wrong on our side",
        (500,),
        "A fault of this software. Nothing of it is told to the outside.",
        "Tell the operator the request_id: the server's log has the reason beside it.",
    ),
    "idempotency-key-reused": ProblemType(
        "The idempotency key belongs to another request",
        (422,),
        "The Idempotency-Key was used before, with another path, query or body.",
        "Make a new key for each new request; keep it only for repeating the very same one.",
    ),
    "idempotency-in-progress": ProblemType(
        "The first request with this key is under way",
        (409,),
        "A request with the same Idempotency-Key has not been answered yet.",
        "Wait for the seconds of Retry-After and send it again: you get the answer of the first.",
    ),
    "address-in-use": ProblemType(
        "There is an account with this address",
        (409,),
        "Somebody signed up with this e-mail address before.",
        "Sign in, or use another address.",
    ),
    "sign-up-closed": ProblemType(
        "Nobody can sign up here",
        (403,),
        "The operator closed sign-up.",
        "Ask an administrator for an account.",
    ),
    "weak-password": ProblemType(
        "The password is too easy to guess",
        (422,),
        "It is shorter than 15 characters (12 with a second factor), common, or holds your name or address.",
        "Choose a long phrase. No special characters are asked for.",
    ),
    "wrong-password": ProblemType(
        "The password is wrong",
        (403,),
        "The password that confirms this change is not yours.",
        "Type it again; after several attempts the account waits.",
    ),
    "wrong-credentials": ProblemType(
        "The address or the password is wrong",
        (401,),
        "No active account has this address and password. Which of the two is wrong is not told.",
        "Type both again; after several attempts the account waits.",
    ),
    "second-factor-required": ProblemType(
        "Send the code of your second factor as `otp`",
        (401,),
        "The account has a second factor.",
        "Repeat the request with the field `otp`: the code of your authenticator, or a recovery code.",
    ),
    "wrong-code": ProblemType(
        "The code is wrong or was used before",
        (403,),
        "A code counts for 30 seconds and once.",
        "Wait for the next code; check the clock of your device.",
    ),
    "no-second-factor": ProblemType(
        "There is no second factor to change",
        (409,),
        "The account has none, or it was not confirmed.",
        "Begin one with POST /v1/users/me/second-factor.",
    ),
    "second-factor-active": ProblemType(
        "There is a second factor already",
        (409,),
        "The account has one.",
        "Remove it before you begin another.",
    ),
    "account-not-active": ProblemType(
        "The account is not active",
        (403,),
        "It waits for approval, or an administrator deactivated it.",
        "Ask an administrator.",
    ),
    "invalid-grant": ProblemType(
        "The refresh token does not count",
        (401,),
        "It expired, was used before (then its whole session has ended) or was revoked.",
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
        "Several wrong passwords or codes for this account or from this address.",
        "Wait for the seconds of Retry-After; each further attempt makes it longer.",
    ),
    "last-administrator": ProblemType(
        "This is the last administrator",
        (409,),
        "Without it nobody could administer the system.",
        "Make somebody else an administrator first.",
    ),
    "no-such-account": ProblemType("There is no such account", (404,), "No account has this id.", "List the accounts."),
    "not-pending": ProblemType(
        "The account does not wait for approval",
        (409,),
        "It was approved, deactivated or never had to wait.",
        "Look at its state first.",
    ),
    "no-such-session": ProblemType(
        "There is no such session", (404,), "It ended, or is none of yours.", "List your sessions."
    ),
    "no-such-client": ProblemType("There is no such client", (404,), "No client has this id.", "List the clients."),
    "too-many-secrets": ProblemType(
        "The client has too many secrets",
        (409,),
        "A client has two at most: the one in use, and the next one.",
        "Take away the older one first.",
    ),
}
