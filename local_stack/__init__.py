"""The whole house on one machine: what `make run` and `make demo` start."""
