"""The models and services on a GPU, in one command: `make bench-gpu`."""
