"""How good a model is on patients it never saw, with confidence intervals, and the numbers its card carries."""
