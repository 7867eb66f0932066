"""Triton for a machine without a GPU or Docker: the real server from PyPI, and how it is started."""
