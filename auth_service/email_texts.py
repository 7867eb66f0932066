"""The texts of e-mails, in English and German in one message: the language of an address is not known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EmailText:
    """english, german: with a place `{link}`."""

    subject: str
    english: str
    german: str

    def with_link(self, link: str) -> str:
        return "\n\n-- \n\n".join(text.format(link=link) for text in (self.english, self.german))


TEXTS = {
    "password_reset": EmailText(
        subject="Hepar: new password / neues Passwort",
        english="""\
Someone, probably you, wants to set a new password for your Hepar account. This link is valid for 30 minutes and can be
used once:

{link}

Setting a new password ends all sessions of the account. If it was not you, ignore this message: nothing has changed.
""",
        german="""\
Jemand, vermutlich Sie, möchte ein neues Passwort für Ihr Hepar-Konto setzen. Dieser Link gilt einmal, 30 Minuten lang:

{link}

Ein neues Passwort beendet alle Sitzungen des Kontos. Wenn Sie das nicht waren, ignorieren Sie diese Nachricht: Es hat
sich nichts geändert.
""",
    ),
    "address_verification": EmailText(
        subject="Hepar: confirm your address / Adresse bestätigen",
        english="""\
Someone, probably you, signed up for Hepar with this e-mail address. This link confirms it; it is valid for one day:

{link}

If it was not you, ignore this message: without the confirmation nobody can sign in with your address.
""",
        german="""\
Jemand, vermutlich Sie, hat mit dieser E-Mail-Adresse ein Hepar-Konto angelegt. Dieser Link bestätigt sie; er gilt einen
Tag:

{link}

Wenn Sie das nicht waren, ignorieren Sie diese Nachricht: Ohne die Bestätigung kann sich niemand mit Ihrer Adresse
anmelden.
""",
    ),
    "invitation": EmailText(
        subject="Hepar: invitation / Einladung",
        english="""\
An administrator made a Hepar account for this e-mail address. This link sets its password; it is valid for seven days
and can be used once:

{link}

If it has expired, "Forgotten password" on the sign-in page sends another one. Hepar is research software, not a medical
device.
""",
        german="""\
Für diese E-Mail-Adresse wurde ein Hepar-Konto angelegt. Dieser Link setzt sein Passwort; er gilt einmal, sieben Tage
lang:

{link}

Wenn er abgelaufen ist, sendet "Passwort vergessen" auf der Anmeldeseite einen neuen. Hepar ist Forschungssoftware, kein
Medizinprodukt.
""",
    ),
}
