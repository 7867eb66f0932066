"""The commands of `python -m training`: each is a pydantic model of its arguments with a `run` method."""
