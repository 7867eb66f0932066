"""For researchers: many images at once, results as they become ready."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from hepar_client import AsyncHepar, HeparProblem, Options
from hepar_client.contracts.analyses import Classification


async def main(files: list[Path]) -> int:
    async with AsyncHepar(os.environ.get("HEPAR_URL", "http://127.0.0.1:8080")) as hepar:
        try:
            await hepar.sign_in(os.environ["HEPAR_EMAIL"], os.environ["HEPAR_PASSWORD"])
            async for ready in hepar.analyse_as_ready(files, Options(vote="majority_vote")):
                classification = ready.item.classification
                if isinstance(classification, Classification):
                    text = classification.label or classification.outcome
                else:
                    text = classification.title
                print(f"{files[ready.index].name}: {text}")
        except HeparProblem as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main([Path(name) for name in sys.argv[1:]] or sorted(Path("samples").glob("*.png")))))
