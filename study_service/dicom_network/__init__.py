"""DICOM networking: associations with archives, and the listener that receives studies."""
