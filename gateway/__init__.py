"""The public entrance: the only service that clients can reach."""
