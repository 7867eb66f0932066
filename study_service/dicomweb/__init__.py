"""DICOMweb (PS3.18): STOW-RS, QIDO-RS and WADO-RS for source images and for the DICOM objects of results."""
