"""A procedural axial abdomen in Hounsfield units, so that samples and tests need no patient data."""

from training.phantom.abdomen import Phantom, abdomen_phantom

__all__ = ["Phantom", "abdomen_phantom"]
