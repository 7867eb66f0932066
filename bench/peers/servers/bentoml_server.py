"""BentoML with a worker process for each processor: `bentoml serve`, with the model repository in BENCH_MODELS."""

from __future__ import annotations

import os
from pathlib import Path

import bentoml
from PIL.Image import Image

from bench.peers.work import Answer, classify, networks, tuned_options


@bentoml.service(workers="cpu_count", traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Classification:
    def __init__(self) -> None:
        self.models = networks(Path(os.environ["BENCH_MODELS"]), "classification", tuned_options())

    @bentoml.api(route="/classify")
    def classify(self, image: Image) -> Answer:
        return classify(self.models, image.convert("L"))
