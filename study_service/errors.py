"""Errors of studies."""

from hepar.core.errors import ClientError, HeparError, NotFound


class QuotaExceeded(ClientError):
    """The account may keep no more."""

    status, title, slug = 403, "The account's storage is used up", "quota-exceeded"


class StudyEnded(ClientError):
    """It cannot be cancelled any more."""

    status, title, slug = 409, "The study is no longer being analysed", "study-ended"


class StudyNotFinished(ClientError):
    """There is no result of the version."""

    status, title, slug = 409, "There is no result yet", "study-not-finished"


class AnalysisFailed(HeparError):
    """Three tries ended without a result."""

    status, title, slug = 500, "The study could not be analysed", "analysis-failed"


class NoSuchStudy(NotFound):
    """There is none, or it is another account's: the caller cannot tell."""

    title, slug = "There is no such study", "no-such-study"


class NoSuchFinding(NotFound):
    """The version of the result has none with this id."""

    title, slug = "There is no such finding", "no-such-finding"


class FindingChanged(ClientError):
    """Somebody else corrected it after the caller had read it."""

    status, title, slug = 412, "The findings were changed meanwhile", "finding-changed"


class CorrectionNotPossible(ClientError):
    """The finding's history does not allow it."""

    status, title, slug = 409, "The correction is not possible", "correction-not-possible"


class NoSuchSlice(NotFound):
    """The volume has no slice with this index."""

    title, slug = "There is no such slice", "no-such-slice"


class NoSuchWebhook(NotFound):
    """There is none, or it is another account's."""

    title, slug = "There is no such webhook", "no-such-webhook"


class TooManyWebhooks(ClientError):
    """As many as one account may have."""

    status, title, slug = 409, "The account has too many webhooks", "too-many-webhooks"


class NoSuchDestination(NotFound):
    """The operator has not configured it."""

    title, slug = "There is no such destination", "no-such-destination"


class NoSuchSend(NotFound):
    """There is none, or its study was deleted."""

    title, slug = "There is no such send", "no-such-send"


class SendNotFailed(ClientError):
    """Only a send that failed can be retried."""

    status, title, slug = 409, "The send has not failed", "send-not-failed"
