"""Webhooks: calls to other systems when studies are finished or failed."""
