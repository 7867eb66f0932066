"""From data to served models: phantoms, lesion synthesis, training, evaluation, export."""
