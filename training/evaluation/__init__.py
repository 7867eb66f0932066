"""Evaluation of models and ensembles on held-out patients, for the model cards and the report."""
