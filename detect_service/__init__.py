"""Detection of lesions in CT images by all detectors."""
