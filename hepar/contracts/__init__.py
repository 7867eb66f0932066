"""The pydantic models of the public API and of what crosses a boundary: one file a topic, no logic."""
