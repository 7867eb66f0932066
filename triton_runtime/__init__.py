"""Runs the Triton server of the PyPI package, for machines without a GPU or Docker."""
