"""pynetdicom without its own log lines, which hold identifiers of patients and of images."""

import logging

from pynetdicom import _config


def silence_pynetdicom() -> None:
    """Before an AE is made; for the whole process."""
    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
