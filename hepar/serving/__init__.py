"""What the model services share: decode workers, scope check, quorum, batches, drift monitoring."""
