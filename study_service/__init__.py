"""study_service: keeps studies, analyses them in the background, and hands out their results."""
