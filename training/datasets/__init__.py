"""Public datasets in their original layouts, read into one kind of record. Whatever cannot be used is reported."""
