import { expect, test } from "vitest";
import { germanText } from "./dePatterns.ts";

test("numbers are carried over, with a decimal comma", () => {
  expect(germanText("there is no frame 7: the object has 3, counted from 0")).toBe(
    "Das Einzelbild 7 gibt es nicht: Die Datei enthält 3, gezählt ab 0.",
  );
  expect(germanText("the picture has no contrast between -62.5 and 187.5 HU")).toBe("Das Bild hat zwischen -62,5 und 187,5 HU keinen Kontrast.");
  expect(germanText("The picture uses 12 of its 16 bits; it was read as 12 bits.")).toBe(
    "Das Bild nutzt 12 seiner 16 Bits; es wurde als 12-Bit-Bild gelesen.",
  );
});

test("terms of the standard are carried over, others are translated", () => {
  expect(germanText("a derived map (VNC in ImageType) is not read; send the CT slice itself")).toContain("(VNC in ImageType)");
  expect(germanText("the DICOM object's modality is MR, not CT")).toBe("Die Modalität des DICOM-Objekts ist MR, nicht CT.");
  expect(germanText("the DICOM object's modality is unknown, not CT")).toBe("Die Modalität des DICOM-Objekts ist unbekannt, nicht CT.");
  expect(germanText("the slice is coronal; only axial slices are read")).toBe("Die Schicht ist koronal; nur axiale Schichten werden gelesen.");
  expect(germanText("constructor is missing")).toBe("constructor fehlt.");
});

test("messages within messages and joined phrases are translated", () => {
  expect(germanText("no file can be read; the first: the file is empty")).toBe("Keine Datei ist lesbar. Zur ersten: Die Datei ist leer.");
  expect(germanText("no series of the study can be analysed: gantry tilt of 12 degrees; slices 12.5 mm apart")).toBe(
    "Keine Serie der Studie kann ausgewertet werden: um 12 Grad gekippte Gantry; Schichtabstand 12,5 mm",
  );
  expect(germanText("axial, original, soft kernel, portal venous, 41 slices over 205 mm")).toBe(
    "axial, original, weicher Faltungskern, portalvenöse Phase, 41 Schichten über 205 mm",
  );
  const refused = "segmentation.dcm, report.dcm (status A900h); an object, 2 without a name (reason not given)";
  expect(germanText(`the archive refuses ${refused}`)).toBe(
    "Das Archiv lehnt ab: segmentation.dcm, report.dcm (Status A900h); ein Objekt, weitere ohne Namen: 2 (ohne Angabe eines Grundes)",
  );
});

test("a message that is not known has no German text", () => {
  expect(germanText("the picture is beautiful")).toBeUndefined();
  expect(germanText("the file is damaged, and more")).toBeUndefined();
});
