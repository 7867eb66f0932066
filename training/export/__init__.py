"""Exports trained networks to folders of triton_models/ with the inputs and outputs that the model promise requires."""
