"""Datasets as they come, read into one kind of record: no layout is changed by hand, nothing is dropped in silence."""
