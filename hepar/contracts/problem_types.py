"""Every type of problem that the public API returns: its cause and what to do. The `type` URI ends in the name."""

from __future__ import annotations

from .account_problem_types import ACCOUNT_PROBLEM_TYPES
from .problems import ProblemType

PREFIX = "/problems/"


PROBLEM_TYPES: dict[str, ProblemType] = {
    "invalid-request": ProblemType(
        "The request is not valid",
        (422,),
        "A field, a parameter or the body is missing or does not match the OpenAPI document; `errors` lists them.",
        "Correct the fields in `errors`. The same request will fail again.",
    ),
    "unreadable-image": ProblemType(
        "The file is not a readable image",
        (422,),
        "The file starts like an image but is damaged, incomplete, empty, too small, without contrast, contradicts "
        "itself, or needs more processor time or memory than an image within the limits does. `detail` names the "
        "element or the part.",
        "Open the file in another viewer and export the slice again. Send one complete file.",
    ),
    "unsupported-media": ProblemType(
        "The format is not supported",
        (415,),
        "The file is not PNG, JPEG, TIFF, BMP, WebP or DICOM CT, or a kind of them that `detail` names, or the "
        "Content-Type is neither multipart/form-data nor an image type. The format is detected from the bytes, never "
        "from the file name. Or the body has a Content-Encoding: bodies are read as they are.",
        "Send one of these formats. Only greyscale CT is read from DICOM; other modalities, colour and derived maps "
        "are refused. A picture of 16 bits has to show a window, not Hounsfield units.",
    ),
    "too-large": ProblemType(
        "The upload is too large",
        (413,),
        "The upload exceeds a published limit: 20 MB and 64 megapixels for a picture, 64 MB for a DICOM file or a "
        "batch, 32 images in a batch, 1 GB for a study, 64 KB for any other body.",
        "Send volumes to /v1/studies; split the batch.",
    ),
    "bad-content-length": ProblemType(
        "The Content-Length is not a number",
        (400,),
        "The Content-Length header contains something other than digits.",
        "Let your HTTP library set this header.",
    ),
    "headers-too-large": ProblemType(
        "The headers are too large",
        (431,),
        "The request has more than 100 headers, or more than 16 KB of headers.",
        "Remove cookies and headers that this API does not need.",
    ),
    "url-too-long": ProblemType(
        "The address is too long",
        (414,),
        "Path and query together exceed 4 KB.",
        "Split the request into several.",
    ),
    "malformed-request": ProblemType(
        "The request is not valid HTTP",
        (400,),
        "The bytes are not an HTTP/1.1 request or could be read in more than one way, a header has characters that are "
        "not ASCII, or a header that may come once comes twice.",
        "Let your HTTP library write the request line, the headers and the length of the body.",
    ),
    "unknown-host": ProblemType(
        "The Host header is not acceptable",
        (400,),
        "The request has no Host header, two of them, or one that this server does not serve.",
        "Use the address that you were given. Operators add names to HEPAR_GATEWAY_HOSTS.",
    ),
    "http-404": ProblemType(
        "Not found",
        (404,),
        "This API has no such path.",
        "See the OpenAPI document at /v1/openapi.json.",
    ),
    "http-405": ProblemType(
        "The method is not allowed",
        (405,),
        "The path exists, but not with this method.",
        "The Allow header lists the methods of this path.",
    ),
    "unauthenticated": ProblemType(
        "Sign in first",
        (401,),
        "The access token is missing, expired, revoked or not valid for this server.",
        "Get a token from POST /v1/token and send it as `Authorization: Bearer <token>`. Access tokens are valid for "
        "ten minutes; use the refresh token to get a new one.",
    ),
    "forbidden": ProblemType(
        "Not allowed",
        (403,),
        "The token is valid but lacks the scope named in `detail`: the account's role does not include it.",
        "Ask an administrator for another role.",
    ),
    "rate-limited": ProblemType(
        "Too many requests from you",
        (429,),
        "This account or network address exceeded its rate limit, or has too many requests in flight or connections "
        "open. The headers RateLimit-Policy and RateLimit give the limit of a minute and what remains of it.",
        "Wait for the seconds in Retry-After. A batch counts as one request.",
    ),
    "busy": ProblemType(
        "Too many requests at the moment",
        (503,),
        "The server has as many requests in flight as it accepts, or as many images waiting to be decoded, in all or "
        "of this account; or the images before this one take too long.",
        "Wait for the seconds in Retry-After and send the request again.",
    ),
    "unavailable": ProblemType(
        "Not available at the moment",
        (503,),
        "A component that this request needs is not available.",
        "Wait for the seconds in Retry-After and send the request again. /readyz names the component.",
    ),
    "insufficient-storage": ProblemType(
        "The storage is full",
        (507,),
        "The server has no room left for the study; nothing of it was kept.",
        "Tell the operator. Send the study again later, or delete studies that are no longer needed.",
    ),
    "quota-exceeded": ProblemType(
        "The account's storage is used up",
        (403,),
        "The studies of this account already use all the bytes, or are as many, as one account may keep.",
        "Delete studies that are no longer needed, or ask the operator for a larger quota.",
    ),
    "unreadable-study": ProblemType(
        "The upload is not a readable study",
        (422,),
        "There is no file that can be analysed, or the files are of more than one patient; `detail` tells which.",
        "Send the CT study of one patient: the DICOM files as they come from the scanner or the PACS, or one NIfTI "
        "volume in Hounsfield units.",
    ),
    "unsafe-archive": ProblemType(
        "The archive is not accepted",
        (422,),
        "The ZIP is damaged, incomplete or encrypted, has an archive, a link or a path outside in it, or inflates to "
        "more than any export does. Nothing of it was kept.",
        "Export the study again and send the DICOM files in one plain ZIP, or the files themselves.",
    ),
    "no-such-study": ProblemType(
        "There is no such study",
        (404,),
        "No study has this id, or it belongs to another account and not to your group.",
        "List the studies with GET /v1/studies.",
    ),
    "no-such-slice": ProblemType(
        "There is no such slice",
        (404,),
        "The analysed volume has no slice with this index.",
        "Read `volume` of the result: slices are counted from 0.",
    ),
    "no-such-finding": ProblemType(
        "There is no such finding",
        (404,),
        "This version of the result has no finding with this id.",
        "List the findings with GET /v1/studies/{study_id}/findings.",
    ),
    "finding-changed": ProblemType(
        "The findings were changed meanwhile",
        (412,),
        "Somebody corrected the finding, or the study was analysed again, after you had read it: If-Match is not its "
        "ETag any more. Nothing was stored.",
        "Read the findings again, look at what was changed, and repeat your correction with the new ETag.",
    ),
    "correction-not-possible": ProblemType(
        "The correction is not possible",
        (409,),
        "There is nothing to undo, the finding was taken back, or the version has as many corrections as it may have; "
        "`detail` tells which.",
        "Read the findings again to see their state.",
    ),
    "no-such-webhook": ProblemType(
        "There is no such webhook",
        (404,),
        "No webhook of your account has this id.",
        "List the webhooks with GET /v1/webhooks.",
    ),
    "too-many-webhooks": ProblemType(
        "The account has too many webhooks",
        (409,),
        "An account may have 20 webhooks.",
        "Delete one that is no longer needed.",
    ),
    "no-such-destination": ProblemType(
        "There is no such destination",
        (404,),
        "The operator has configured no destination with this name.",
        "List the destinations with GET /v1/destinations.",
    ),
    "no-such-send": ProblemType(
        "There is no such send",
        (404,),
        "No send has this id, or its study was deleted.",
        "List the sends with GET /v1/sends.",
    ),
    "send-not-failed": ProblemType(
        "The send has not failed",
        (409,),
        "The send waits for its next attempt, or the destination has taken it; `detail` tells which.",
        "Only a send with the status `failed` can be retried. One that waits is attempted again by itself.",
    ),
    "not-acceptable": ProblemType(
        "The answer has no form that is accepted",
        (406,),
        "The Accept header of a DICOMweb or FHIR request names only media types or transfer syntaxes in which the "
        "answer cannot be sent; `detail` names those in which it can.",
        "Send the media types in `detail`. Objects are sent in the transfer syntax in which they are stored with "
        '`multipart/related; type="application/dicom"; transfer-syntax=*`.',
    ),
    "invalid-search": ProblemType(
        "The search is not valid",
        (400,),
        "A parameter of a FHIR search cannot be understood, or it is unknown and `Prefer: handling=strict` was sent.",
        "Correct the parameters in `errors`; `/fhir/metadata` lists those that are supported.",
    ),
    "invalid-dicomweb-request": ProblemType(
        "The DICOMweb request is not valid",
        (400,),
        "A query parameter is not one of DICOMweb, names an attribute that a search at this level cannot match, or has "
        "a value of another form.",
        "Correct the parameter that `detail` names; the conformance statement lists those that are supported.",
    ),
    "study-ended": ProblemType(
        "The study is no longer being analysed",
        (409,),
        "The analysis has already finished, failed or been cancelled.",
        "Read the study to see how it ended.",
    ),
    "study-not-finished": ProblemType(
        "There is no result yet",
        (409,),
        "The analysis is queued, running, failed or cancelled; `detail` tells which.",
        "Wait until the status of the study is `finished`.",
    ),
    "not-deidentifiable": ProblemType(
        "The study cannot be de-identified",
        (409,),
        "The pixels of its images may show text or a face, as the files state it, or it was sent as NIfTI and has no "
        "DICOM images; `detail` tells which.",
        "De-identify the images with a tool that also cleans pixels, or choose another series with a new analysis.",
    ),
    "analysis-failed": ProblemType(
        "The study could not be analysed",
        (500,),
        "The analysis ended three times without a result; the study is recorded as failed.",
        "Start it again with a new analysis. If it fails again, report it with the id of the study.",
    ),
    "below-quorum": ProblemType(
        "Too few models answered",
        (503,),
        "Some models answered, but fewer than the operator requires for a result.",
        "Wait for the seconds in Retry-After and send the request again.",
    ),
    "deadline-exceeded": ProblemType(
        "The response was not ready in time",
        (504,),
        "The request took longer than the server's limit or than your own X-Hepar-Timeout-Ms.",
        "Increase X-Hepar-Timeout-Ms if it is short; otherwise send the request again later.",
    ),
    "upload-too-slow": ProblemType(
        "The upload did not arrive in time",
        (408,),
        "The upload stopped, or was so slow that it exceeded the time limit.",
        "Send it again over a better connection.",
    ),
    "bad-upstream": ProblemType(
        "An internal component returned an invalid response",
        (502,),
        "A response inside the system did not match its contract and was discarded.",
        "Report the request_id to the operator.",
    ),
    "internal-error": ProblemType(
        "Internal error",
        (500,),
        "A defect of this software. Its details are not disclosed.",
        "Report the request_id to the operator: the server's log has the cause.",
    ),
    "idempotency-key-reused": ProblemType(
        "The idempotency key belongs to another request",
        (422,),
        "The Idempotency-Key was used before with another path, query or body.",
        "Create a new key for each request. Use the same key only to repeat the same request.",
    ),
    "idempotency-in-progress": ProblemType(
        "The first request with this key is still in flight",
        (409,),
        "A request with the same Idempotency-Key has not been answered yet.",
        "Wait for the seconds in Retry-After and send it again: you get the response of the first request.",
    ),
} | ACCOUNT_PROBLEM_TYPES
