"""De-identified exports of studies, for research and training."""
