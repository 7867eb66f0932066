"""Settings of e-mail: the mail server, and what is sent."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import EmailStr, Field, SecretStr, model_validator

from hepar.core.settings import ServiceSettings


class EmailSettings(ServiceSettings):
    """A part of AuthSettings. Without a mail server nothing is sent, and links by e-mail are not offered."""

    smtp_host: str = Field(default="", description="mail server; empty: no e-mail is sent")
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="`tls` from the first byte, or after STARTTLS; `none` only outside production"
    )
    smtp_user: str = Field(default="", description="sign-in at the mail server; empty: none")
    smtp_password: SecretStr | None = Field(default=None, repr=False)
    email_sender: EmailStr | None = Field(default=None, description="address in From, required with a mail server")
    email_verification: bool = Field(
        default=False, description="people who sign up confirm their address by a link before they can sign in"
    )

    @model_validator(mode="after")
    def _complete_email_settings(self) -> Self:
        if self.smtp_host and self.email_sender is None:
            raise ValueError("a mail server needs a sender: set HEPAR_AUTH_EMAIL_SENDER")
        if self.email_verification and not self.smtp_host:
            raise ValueError("links are sent by e-mail: set HEPAR_AUTH_SMTP_HOST")
        if bool(self.smtp_user) != (self.smtp_password is not None):
            raise ValueError("set both HEPAR_AUTH_SMTP_USER and HEPAR_AUTH_SMTP_PASSWORD, or none of them")
        if self.production and self.smtp_host and self.smtp_security == "none":
            raise ValueError("production sends e-mail encrypted: set HEPAR_AUTH_SMTP_SECURITY to starttls or tls")
        return self
