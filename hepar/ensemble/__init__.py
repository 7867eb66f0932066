"""Many opinions to one: voting and box fusion, pure, as they are both fitted in training/ and served."""
