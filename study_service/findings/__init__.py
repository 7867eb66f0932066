"""Findings as readers leave them: accepted, rejected, retyped, outlined, commented, added."""
