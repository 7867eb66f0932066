"""The command line `hepar`."""
