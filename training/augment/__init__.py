"""Changes of a training slice that keep its labels: other scanners, other kernels, other contrast phases."""
