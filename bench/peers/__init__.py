"""What users would pick instead of Hepar, measured in one run with it: `make bench-peers`."""
