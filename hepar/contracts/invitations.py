"""An invitation of an administrator, as the API takes it."""

from typing import Annotated

from pydantic import AfterValidator, EmailStr, Field

from .accounts import Confirmation, Group
from .addresses import require_one_script
from .base import with_example
from .roles import Role


class Invitation(Confirmation):
    """Confirmed like a role and a group, which it gives."""

    model_config = with_example(
        {
            "email": "ada@example.org",
            "role": "clinician",
            "group": "radiology-2",
            "password": "seven herons over a frozen lake",
            "code": "123456",
        }
    )

    email: Annotated[EmailStr, AfterValidator(require_one_script)] = Field(
        max_length=254, description="the address that the link is sent to; letters of one script"
    )
    role: Role = Field(description="the role of the account")
    group: Group | None = Field(default=None, description="the group of the account; null for none")
