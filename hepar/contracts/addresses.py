"""E-mail addresses that cannot be mistaken for another one by letters of another script."""

from __future__ import annotations

import re
import unicodedata

_WRITTEN_TOGETHER = ({"CJK", "HIRAGANA", "KATAKANA"}, {"CJK", "HANGUL"}, {"CJK", "BOPOMOFO"})


def require_one_script(address: str) -> str:
    """Returns the address. The part before the @, and each label of the domain, may use the letters of one script.

    Raises ValueError. After Unicode Technical Standard 39, section 5.2: one script, no compatibility characters.
    """
    if unicodedata.normalize("NFKC", address) != address:
        raise ValueError("the address contains compatibility characters")
    local, _, domain = address.rpartition("@")
    for part in (local, *domain.split(".")):
        scripts = {_script(letter) for letter in part if letter.isalpha()}
        if len(scripts) > 1 and not any(scripts <= together for together in _WRITTEN_TOGETHER):
            raise ValueError("the address mixes letters of several scripts")
    return address


def _script(letter: str) -> str:
    """The first word of the character's name, such as LATIN or CYRILLIC."""
    return re.split("[ -]", unicodedata.name(letter, "UNNAMED"))[0]
