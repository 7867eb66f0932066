"""Metrics of classifiers and detectors on arrays, with confidence intervals. No files, no models."""
