"""Programs for development that no service needs."""
