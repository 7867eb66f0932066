"""From trained weights to folders of triton_models/ that keep the model promise."""
