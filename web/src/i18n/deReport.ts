/** German texts of the report page, of first steps, and of the order of the worklist. */
import type { enReport } from "./enReport.ts";
import type { MessagesOf } from "./en.ts";

export const deReport: MessagesOf<typeof enReport> = {
  report: "Bericht",
  order: "Reihenfolge",
  newestFirst: "neueste zuerst",
  attentionFirst: "nach Dringlichkeit",
  flagUndecided: "unentschieden",
  flagContradiction: "Abstimmung und Detektoren widersprechen sich.",
  firstSteps: "Erste Schritte",
  sampleName: "Beispielstudie",
  sampleOffer: "Probieren Sie Hepar mit der mitgelieferten Studie aus: einem Phantom mit eingezeichneten Läsionen. Dahinter steht kein Patient.",
  sendSample: "Beispielstudie auswerten",
  notNow: "Jetzt nicht",
  openReport: "Bericht, Dateien und Versand",
  backToStudy: "Zurück zur Studie",
  reportLanguage: "Sprache des Berichts",
  previewAlt: "Seite des Berichts. Der Befund steht im Text daneben; das PDF lässt sich durchsuchen.",
  previewReady: "Die Vorschau ist aktuell.",
  keyImages: "Schlüsselbilder",
  keyImagesHint: "{count} von höchstens {maximum} Schichten für den Bericht gewählt.",
  sliceToAdd: "Weitere Schicht, 1 bis {count}",
  addSlice: "Schicht hinzufügen",
  downloadReportDicom: "Bericht (DICOM)",
  downloadMeasurements2d: "Messungen (DICOM SR, 2D)",
  downloadKeyImage: "Schlüsselbild {number} ({format})",
  sentenceLesions: { one: "Eine Leberläsion: {largest}", other: "{count} Leberläsionen, die größte {largest}" },
  sentenceLargest: "{id}, {type}, {where}, {long} × {short} mm in Schicht {slice}",
  sentenceReading: { one: "{count} Läsion nach Korrektur durch Befundende", other: "{count} Läsionen nach Korrektur durch Befundende" },
  sentenceNone: "Keine Leberläsion lokalisiert",
};
