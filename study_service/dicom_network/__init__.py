"""DICOM networking: associations with archives, and the listener that receives studies."""

import logging

from pynetdicom import _config

_config.LOG_HANDLER_LEVEL = "none"
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its lines hold identifiers of patients and of images
