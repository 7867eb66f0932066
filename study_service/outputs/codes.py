"""Coded terms of the DICOM and FHIR outputs.

Nobody with a SNOMED CT licence has confirmed the two disease codes (docs/dicom-conformance.md).
"""

from __future__ import annotations

from pydicom.sr.coding import Code

PRIVATE_SCHEME = "99HEPAR"
PRIVATE_SCHEME_NAME = "Hepar"
PRIVATE_SCHEME_UID = "2.25.12095208543307034434558026291486725144"

LIVER = Code("10200004", "SCT", "Liver")
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")
LESION = Code("52988006", "SCT", "Lesion")
LESION_OF_LIVER = Code("300331000", "SCT", "Lesion of liver")
DISEASES = {
    "metastasis": Code("94381002", "SCT", "Metastatic malignant neoplasm to liver"),
    "cholangiocarcinoma": Code("109842005", "SCT", "Intrahepatic bile duct carcinoma"),
}

PRESENT = Code("52101004", "SCT", "Present")
ABSENT = Code("272519000", "SCT", "Absent")
INDETERMINATE = Code("82334004", "SCT", "Indeterminate")

LONG_AXIS = Code("103339001", "SCT", "Long axis")
SHORT_AXIS = Code("103340004", "SCT", "Short axis")
VOLUME = Code("118565006", "SCT", "Volume")

IMAGING_STUDY = Code("18748-4", "LN", "Diagnostic imaging study")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
CT_PROCEDURE = Code("25045-6", "LN", "CT unspecified body region")
COMMENT = Code("121106", "DCM", "Comment")
IMAGING_MEASUREMENT_REPORT = Code("126000", "DCM", "Imaging Measurement Report")

MILLIMETRE = Code("mm", "UCUM", "mm")
MILLILITRE = Code("mL", "UCUM", "mL")
PERCENT = Code("%", "UCUM", "Percent")
NO_UNITS = Code("1", "UCUM", "no units")

TUMOUR_PROBABILITY = Code("p-tumour", PRIVATE_SCHEME, "Probability of at least one liver tumour")
LESION_PROBABILITY = Code("p-lesion", PRIVATE_SCHEME, "Probability of being a lesion")
TYPE_PROBABILITIES = {
    "metastasis": Code("p-metastasis", PRIVATE_SCHEME, "Probability of metastasis, given a tumour"),
    "cholangiocarcinoma": Code("p-cholangiocarc", PRIVATE_SCHEME, "Probability of cholangiocarcinoma, given a tumour"),
}
TUMOUR_BURDEN = Code("tumour-burden", PRIVATE_SCHEME, "Volume of the lesions relative to the liver")
LESION_TYPE = Code("lesion-type", PRIVATE_SCHEME, "Most probable type of the lesion")
TUMOUR_TYPE = Code("tumour-type", PRIVATE_SCHEME, "Most probable type of the tumours")
LESION_COUNT = Code("lesion-count", PRIVATE_SCHEME, "Number of lesions found")
BOX_LONG_AXIS = Code("box-long-axis", PRIVATE_SCHEME, "Box axis, longer side")
BOX_SHORT_AXIS = Code("box-short-axis", PRIVATE_SCHEME, "Box axis, shorter side")
