"""The rules for new passwords (NIST SP 800-63B-4): length, no common password, enough guesses, at a bounded cost."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

from hepar.contracts.accounts import PASSWORD_CHARACTERS_MIN, PASSWORD_CHARACTERS_MIN_WITH_SECOND_FACTOR
from hepar.core.errors import ClientError, InvalidField

_COMMON_PASSWORDS = Path(__file__).with_name("common_passwords.txt")
_GUESSES_LOG10_MIN = 10.0
# zxcvbn tries every combination of character substitutions: a crafted password of 72 characters took it 4 s, one of 24
# takes 0.2 s at most.
_ESTIMATED_CHARACTERS = 24
_OTHER_CHARACTERS_MIN = 8
_SUBSTITUTED = str.maketrans("013457@$!", "oieastasi")


class WeakPassword(ClientError):
    """Too short for its account, common, or made of the account's own name or address."""

    status, title, slug = 422, "The password is too easy to guess", "weak-password"


def normalised(password: str) -> str:
    """NFKC (NIST SP 800-63B-4, section 3.1.1.2), because keyboards encode differently."""
    return unicodedata.normalize("NFKC", password)


def require_strong(password: str, own_words: list[str], *, second_factor: bool, pointer: str = "/password") -> None:
    """Raises WeakPassword with the reason. Not thread-safe: zxcvbn keeps the account's own words in a global.

    own_words: the account's name and address.  pointer: JSON Pointer to the password in the request's body.
    """
    from zxcvbn import zxcvbn  # its lists of words take 11 MB

    require_length(password, second_factor=second_factor, pointer=pointer)
    plain = normalised(password)
    folded = plain.casefold()
    words = {part for word in own_words for part in [word, *word.replace("@", " ").replace(".", " ").split()]}
    own = sorted(word.casefold() for word in words if len(word) >= 4)
    if any(word in folded for word in own):
        raise _weak(pointer, "contains_own_words", "it contains the account's name or address")
    guessed = zxcvbn(plain[:_ESTIMATED_CHARACTERS], user_inputs=own)
    if float(guessed["guesses_log10"]) < _GUESSES_LOG10_MIN:
        warning = guessed["feedback"]["warning"]
        raise _weak(pointer, "too_common", str(warning) or "it is common, or follows a common pattern")
    if _is_common(folded):
        raise _weak(pointer, "too_common", "it is a common password or a well-known phrase")


def require_length(password: str, *, second_factor: bool, pointer: str = "/password") -> None:
    """Raises WeakPassword where the password is too short for an account with or without a second factor."""
    least = PASSWORD_CHARACTERS_MIN_WITH_SECOND_FACTOR if second_factor else PASSWORD_CHARACTERS_MIN
    if len(normalised(password)) < least:
        raise _weak(pointer, "too_short", f"at least {least} characters")


def _is_common(folded: str) -> bool:
    """Whether little more than a listed phrase remains without spaces, punctuation and substituted letters."""
    for spelled in (folded, folded.translate(_SUBSTITUTED)):
        compact = "".join(filter(str.isalnum, spelled))
        if any(
            phrase in compact and len(compact.replace(phrase, "")) < _OTHER_CHARACTERS_MIN
            for phrase in _common_passwords()
        ):
            return True
    return False


@cache
def _common_passwords() -> tuple[str, ...]:
    """In lower case, letters and digits only."""
    return tuple(_COMMON_PASSWORDS.read_text(encoding="utf-8").split())


def _weak(pointer: str, code: str, message: str) -> WeakPassword:
    return WeakPassword(message, InvalidField("body", pointer, code, message))
