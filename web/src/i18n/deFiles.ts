/** German texts of dropping and choosing files. */
import type { enFiles } from "./enFiles.ts";
import type { MessagesOf } from "./en.ts";

export const deFiles: MessagesOf<typeof enFiles> = {
  dropAnywhere:
    "Dateien ablegen, um sie zu analysieren: Ordner, ZIP oder DICOM-Medien, NIfTI- oder DICOM-Dateien als Studie, PNG, JPEG und andere Bilder einzeln",
  dropSignedOut: "Melden Sie sich zuerst an: Dann können Dateien auf jeder Seite abgelegt werden",
  readingFiles: "Die Dateien werden gelesen",
  imagesListed: { one: "{count} Bild wurde in die Liste aufgenommen", other: "{count} Bilder wurden in die Liste aufgenommen" },
  studyTaken: { one: "{count} Datei wird als Studie gesendet", other: "{count} Dateien werden als eine Studie gesendet" },
  drop: "CT-Bilder oder Ordner irgendwo auf der Seite ablegen, ein Bild einfügen oder Dateien auswählen",
  chooseFiles: "Dateien auswählen",
  chooseFolder: "Ordner auswählen",
  formats: "PNG, JPEG, TIFF, BMP oder WebP bis 20 MB; DICOM-CT bis 64 MB. Das Format wird am Inhalt erkannt, nicht am Dateinamen.",
  dropStudy: "CT-Studie irgendwo auf der Seite ablegen: einen Ordner mit DICOM-Dateien, ein DICOM-Medium, ein ZIP-Archiv oder eine NIfTI-Datei",
  chooseStudyFiles: "Datei wählen",
  studyFormats: "Was zusammen abgelegt wird, ist eine Studie. Sie wird im Hintergrund ausgewertet; wenn sie gesendet ist, kann die Seite geschlossen werden.",
  studySent: "Die Studie wurde gesendet und steht in der Liste.",
};
