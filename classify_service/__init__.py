"""Classification of CT images by a calibrated vote of all classifiers."""
