"""Image in, one calibrated vote of all classifiers out."""
