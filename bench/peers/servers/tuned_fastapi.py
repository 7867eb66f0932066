"""FastAPI as an engineer with time tunes it: a thread for each processor, sessions of one thread, no access log.

`tuned_fastapi MODELS PORT`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

from bench.peers.work import Answer, classify, detect, networks, read_png, tuned_options

app = FastAPI()
repository = Path(sys.argv[1])
classifiers = networks(repository, "classification", tuned_options())
detectors = networks(repository, "detection", tuned_options())
pool = ThreadPoolExecutor(os.cpu_count())


@app.post("/classify")
async def classify_image(request: Request) -> Response:
    return await _answer(request, lambda content: classify(classifiers, read_png(content)))


@app.post("/detect")
async def detect_lesions(request: Request) -> Response:
    return await _answer(request, lambda content: detect(detectors, read_png(content)))


async def _answer(request: Request, work: Callable[[bytes], Answer]) -> Response:
    content = await request.body()
    answer = await asyncio.get_running_loop().run_in_executor(pool, work, content)
    return Response(orjson.dumps(answer), media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False)
