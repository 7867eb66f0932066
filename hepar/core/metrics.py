"""What Prometheus reads of a service, on a port of its own that no client reaches."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram, start_http_server

_log = logging.getLogger(__name__)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120)
SHARES = tuple(round(step / 10, 1) for step in range(1, 11))

REQUESTS = Counter("hepar_requests", "Requests that were answered", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("hepar_request_seconds", "To the end of the answer", ["route"], buckets=SECONDS)
REQUESTS_IN_FLIGHT = Gauge("hepar_requests_under_way", "Requests being answered; health checks do not count")
STAGE_SECONDS = Histogram(
    "hepar_stage_seconds", "Parts of a request, by what was waited for", ["stage"], buckets=SECONDS
)

DECODING = Gauge("hepar_images_decoding", "Images given to the decoder and not read yet: its queue and its work")
INPUT_GREY = Histogram(
    "hepar_input_grey_mean", "Mean grey level of an image that was read, 0 to 255", buckets=tuple(range(16, 256, 16))
)
OUT_OF_SCOPE = Counter("hepar_out_of_scope", "Images that the input check refused")
DEGRADED = Counter("hepar_degraded", "Answers that were given without a model", ["model"])
MODEL_SECONDS = Histogram("hepar_model_seconds", "Calls to Triton", ["model"], buckets=SECONDS)
MODEL_FAILURES = Counter("hepar_model_failures", "Calls to Triton that failed", ["model"])
BREAKER_OPEN = Gauge("hepar_breaker_open", "1 while calls to a model are refused without asking it", ["model"])

DECISIONS = Counter("hepar_decisions", "Classifications by outcome; label: of decided ones", ["outcome", "label"])
VOTES = Counter("hepar_votes", "Votes of single models", ["model", "version", "label"])
SHADOW_VOTES = Counter(
    "hepar_shadow_votes",
    "Votes of versions that are only watched: as the serving version, other, or failed",
    ["model", "version", "outcome"],
)
CONFIDENCE = Histogram("hepar_confidence", "Probability of the most probable label", buckets=SHARES)
DISAGREEMENT = Histogram(
    "hepar_disagreement_nats",
    "Mutual information of label and model",
    buckets=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7),
)
BOXES = Histogram("hepar_boxes", "Boxes an image", buckets=(0, 1, 2, 3, 5, 8, 13, 21))
BOX_SCORE = Histogram("hepar_box_score", "Scores of boxes", buckets=SHARES)
DRIFT = Gauge(
    "hepar_drift_psi", "Population stability index of recent images against the model card's reference", ["signal"]
)
DRIFT_IMAGES = Gauge("hepar_drift_images", "Recent images that the index is taken over", ["task"])

RATE_LIMIT_FAILURES = Counter("hepar_rate_limit_failures", "Times that requests could not be counted")
ACCOUNT_EVENTS = Counter("hepar_account_events", "Entries of the audit: signed_in, sign_in_refused, ...", ["event"])


def count_request(method: str, route: str, status: int, seconds: float, stages_ms: Mapping[str, float]) -> None:
    """Of one answered request. route: the pattern of its path, never the path itself."""
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    for name, spent_ms in stages_ms.items():
        STAGE_SECONDS.labels(name).observe(spent_ms / 1000)


def serve_metrics(host: str, port: int) -> None:
    """Serves /metrics in a thread of its own; with port 0 nothing does. Raises OSError where the port is taken."""
    if port:
        start_http_server(port, host)
        _log.info("metrics", extra={"port": port})
