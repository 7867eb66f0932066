"""JSON log lines on standard output: one per request, and other events."""

from __future__ import annotations

import logging
import sys

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from hepar.core.request_context import current_request_id


class _Context(logging.Filter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def filter(self, record: logging.LogRecord) -> bool:
        record.service = self._service
        record.request_id = current_request_id()
        return True


def configure_logging(service: str, level: str = "INFO") -> None:
    """All loggers of the process write JSON with time, level, service and request id.

    Log lines must not contain image data, names, passwords or tokens. Warnings of Python become log lines.
    """
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(
        JsonFormatter(
            "{asctime}{levelname}{service}{request_id}{name}{message}",
            style="{",
            reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # uvicorn's, for terminals
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    )
    output.addFilter(_Context(service))
    root = logging.getLogger()
    root.handlers[:] = [output]
    root.setLevel(level)
    logging.captureWarnings(capture=True)  # they would be lines of another format
    for noisy in ("httpx", "httpcore", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
