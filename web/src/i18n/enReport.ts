/** English texts of the report page. */
export const enReport = {
  report: "Report",
  openReport: "Report, files and sending",
  backToStudy: "Back to the study",
  reportLanguage: "Language of the report",
  previewAlt: "Page of the report. Its finding is in the text next to it; the PDF can be searched.",
  previewReady: "The preview is up to date.",
  keyImages: "Key images",
  keyImagesHint: "{count} of at most {maximum} slices chosen for the report.",
  sliceToAdd: "Another slice, 1 to {count}",
  addSlice: "Add slice",
  downloadReportDicom: "Report (DICOM)",
  downloadMeasurements2d: "Measurements (DICOM SR, 2D)",
  downloadKeyImage: "Key image {number} ({format})",
  sentenceLesions: { one: "One liver lesion: {largest}", other: "{count} liver lesions, the largest {largest}" },
  sentenceLargest: "{id}, {type}, {where}, {long} × {short} mm in slice {slice}",
  sentenceNone: "No liver lesion located",
};
