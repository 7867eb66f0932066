"""A teacher for the classifiers: frozen pretrained networks with a linear head, and what it says about each image."""
