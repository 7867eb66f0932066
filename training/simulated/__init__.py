"""Simulated studies: phantom volumes with lesions whose type, place and size are known."""

from training.simulated.study import LesionTruth, SimulatedStudy, simulate_study

__all__ = ["LesionTruth", "SimulatedStudy", "simulate_study"]
