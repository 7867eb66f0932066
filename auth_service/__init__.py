"""Accounts, sign-in, tokens."""
