"""Names and peers of DICOM networking, for settings: without pynetdicom, which not every process needs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hepar.core.networks import NetworkList

AETitle = Annotated[str, StringConstraints(pattern=r"^[!-\[\]-~][ -\[\]-~]{0,15}$")]
"""PS3.5 6.2, AE: 16 characters of the default repertoire without a backslash; leading spaces mean nothing."""


class ListenPeer(BaseModel):
    """Who may send studies by DICOM. ae_title: its own.  networks: addresses it may call from.

    owner: id of the account or hospital system that its studies belong to.  group: whose members may read them, too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ae_title: AETitle
    networks: NetworkList = Field(min_length=1)
    owner: str = Field(min_length=1, max_length=64)
    group: str | None = Field(default=None, min_length=1, max_length=64)
