/** English texts of dropping and choosing files. */
export const enFiles = {
  dropAnywhere: "Drop files to analyse them: a folder, ZIP or DICOM media, NIfTI or DICOM files as a study, PNG, JPEG and other images one by one",
  dropSignedOut: "Sign in first: then files can be dropped on every page",
  readingFiles: "The files are being read",
  imagesListed: { one: "{count} image was added to the list", other: "{count} images were added to the list" },
  studyTaken: { one: "{count} file is sent as a study", other: "{count} files are sent as one study" },
  drop: "Drop CT images or folders anywhere on the page, paste an image, or choose files",
  chooseFiles: "Choose files",
  chooseFolder: "Choose a folder",
  formats: "PNG, JPEG, TIFF, BMP or WebP up to 20 MB; DICOM CT up to 64 MB. The format is detected from the content, not from the file name.",
  dropStudy: "Drop a CT study anywhere on the page: a folder of DICOM files, DICOM media, a ZIP archive or a NIfTI file",
  chooseStudyFiles: "Choose a file",
  studyFormats: "Everything that is dropped at once is one study. It is analysed in the background; you can close this page when it has been sent.",
  studySent: "The study was sent and is in the list.",
};
