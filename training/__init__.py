"""Makes the served models from data: phantoms, lesion synthesis, training, evaluation, export."""
