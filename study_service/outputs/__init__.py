"""What a radiology department takes: DICOM objects, a PDF report, FHIR resources and tables of one study's result."""
