"""Detectors: ultralytics' networks, trained offline from their architecture files."""
