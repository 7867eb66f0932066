"""Masks of the liver and its lesions from one slice."""
