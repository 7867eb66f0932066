"""What makes a FastAPI app one of Hepar's: settings, errors, logs, limits, health, token checks."""
