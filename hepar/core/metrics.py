"""Prometheus metrics of a service, served on a separate port that clients cannot reach."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram, start_http_server

_log = logging.getLogger(__name__)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120)
SHARES = tuple(round(step / 10, 1) for step in range(1, 11))

REQUESTS = Counter("hepar_requests", "Answered requests", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "hepar_request_seconds", "Duration until the end of the response", ["route"], buckets=SECONDS
)
REQUESTS_IN_FLIGHT = Gauge("hepar_requests_in_flight", "Requests in flight, without health checks")
STAGE_SECONDS = Histogram("hepar_stage_seconds", "Duration of the stages of a request", ["stage"], buckets=SECONDS)

DECODING = Gauge("hepar_images_decoding", "Images in the decoder: waiting and being decoded")
INPUT_GREY = Histogram(
    "hepar_input_grey_mean", "Mean grey level of decoded images, 0 to 255", buckets=tuple(range(16, 256, 16))
)
OUT_OF_SCOPE = Counter("hepar_out_of_scope", "Images that the scope check rejected")
MISSING_MODELS = Counter("hepar_missing_models", "Results without the answer of a model", ["model"])
MODEL_SECONDS = Histogram("hepar_model_seconds", "Duration of calls to Triton", ["model"], buckets=SECONDS)
MODEL_FAILURES = Counter("hepar_model_failures", "Failed calls to Triton", ["model"])
BREAKER_OPEN = Gauge("hepar_breaker_open", "1 while the circuit breaker of a model is open", ["model"])

DECISIONS = Counter("hepar_decisions", "Classifications by outcome; label: of decided ones", ["outcome", "label"])
VOTES = Counter("hepar_votes", "Votes by model", ["model", "version", "label"])
SHADOW_VOTES = Counter(
    "hepar_shadow_votes",
    "Votes of shadow versions: same as the serving version, other, or failed",
    ["model", "version", "outcome"],
)
CONFIDENCE = Histogram("hepar_confidence", "Probability of the most probable label", buckets=SHARES)
DISAGREEMENT = Histogram(
    "hepar_disagreement_nats",
    "Mutual information of label and model",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7),
)
BOXES = Histogram("hepar_boxes", "Boxes per image", buckets=(0, 1, 2, 3, 5, 8, 13, 21))
BOX_SCORE = Histogram("hepar_box_score", "Scores of fused boxes", buckets=SHARES)
DRIFT = Gauge(
    "hepar_drift_psi", "Population stability index of recent images against the model card's reference", ["signal"]
)
DRIFT_IMAGES = Gauge("hepar_drift_images", "Number of recent images in the index", ["task"])

RATE_LIMIT_FAILURES = Counter(
    "hepar_rate_limit_failures", "Requests that could not be counted: the database did not answer"
)
ACCOUNT_EVENTS = Counter("hepar_account_events", "Audit entries by event: signed_in, sign_in_refused, ...", ["event"])

STUDIES_QUEUED = Gauge("hepar_studies_queued", "Studies that wait for a worker, as a worker saw it last", ["priority"])
STUDIES_RUNNING = Gauge("hepar_studies_running", "Studies that this worker analyses now")
STUDIES_ENDED = Counter(
    "hepar_studies_ended", "Tries to analyse a study: finished, failed, retried, waiting, released or lost", ["end"]
)
STUDY_SECONDS = Histogram(
    "hepar_study_seconds",
    "Duration of the try that finished a study",
    buckets=(1, 2.5, 5, 10, 25, 60, 120, 300, 600, 1800),
)
DICOM_OBJECTS = Counter("hepar_dicom_objects", "Objects that the DICOM listener stored or refused", ["end"])
STUDY_SENDS = Counter(
    "hepar_study_sends", "Attempts to send a result to a destination: sent, waiting or failed", ["destination", "end"]
)


def count_request(method: str, route: str, status: int, seconds: float, stages_ms: Mapping[str, float]) -> None:
    """Records an answered request. route: the pattern of its path, never the path itself."""
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    for name, spent_ms in stages_ms.items():
        STAGE_SECONDS.labels(name).observe(spent_ms / 1000)


def serve_metrics(host: str, port: int) -> None:
    """Serves /metrics in a thread; port 0 disables it. Raises OSError where the port is in use."""
    if port:
        start_http_server(port, host)
        _log.info("metrics", extra={"port": port})
