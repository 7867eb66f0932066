"""FastAPI as a first version is often written: default sessions, one network after the other, in FastAPI's threads.

`naive_fastapi MODELS PORT`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Body, FastAPI

from bench.peers.work import Answer, classify, networks, read_png

app = FastAPI()
models = networks(Path(sys.argv[1]), "classification")


@app.post("/classify")
def classify_image(image: Annotated[bytes, Body(media_type="image/png")]) -> Answer:
    return classify(models, read_png(image))


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
