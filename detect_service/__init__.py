"""Image in, one fused set of lesion boxes out."""
