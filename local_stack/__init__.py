"""The whole stack on one machine, for `make run` and `make demo`."""
