"""Databases and migrations, paging, stored responses, rate limits."""
