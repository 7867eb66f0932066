"""Classifiers in Keras: the network, its input pipeline, its training."""
