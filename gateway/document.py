"""`python -m gateway.document FOLDER`: writes openapi.json and problems.md there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gateway.app import create_app
from gateway.openapi import document
from gateway.settings import GatewaySettings
from hepar.web.docs_pages import problems_page


def write(folder: Path) -> list[Path]:
    """The files, which are the same for the same code."""
    made = document(create_app(GatewaySettings()))
    openapi, problems = folder / "openapi.json", folder / "problems.md"
    openapi.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    problems.write_text(problems_page())
    return [openapi, problems]


if __name__ == "__main__":
    for file in write(Path(sys.argv[1])):
        print(file)  # noqa: T201
