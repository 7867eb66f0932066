/** Warnings about an image. */
import type { Pattern } from "./dePatterns.ts";

export const WARNINGS: readonly Pattern[] = [
  [/^The file has (\d+) pictures; the first was read\.$/, "Die Datei enthält $1 Bilder; ausgewertet wurde das erste."],
  [/^The object has (\d+) frames; the first was read\.$/, "Die Datei enthält $1 Einzelbilder; ausgewertet wurde das erste."],
  [
    /^The picture states that its pixels are not square; it was scaled to square ones\.$/,
    "Das Bild gibt an, dass seine Pixel nicht quadratisch sind; es wurde auf quadratische skaliert.",
  ],
  [
    /^The file's pixel spacing is implausible for a slice of the abdomen; the networks see the whole image\.$/,
    "Der Pixelabstand der Datei ist für eine Schicht des Bauchs nicht plausibel; die Netze sehen das ganze Bild.",
  ],
  [
    /^The body is larger than the training images; the networks saw (\d+(?:\.\d+)?) mm per pixel instead of 1\.6\.$/,
    "Der Körper ist größer als die Trainingsbilder; die Netze sahen $1 mm pro Pixel statt 1,6.",
  ],
  [/^The picture is coloured; it was read as grey\.$/, "Das Bild ist farbig; es wurde in Graustufen umgewandelt."],
  [/^The picture uses (8|12) of its 16 bits; it was read as \1 bits\.$/, "Das Bild nutzt $1 seiner 16 Bits; es wurde als $1-Bit-Bild gelesen."],
  [
    /^The file does not state the patient's orientation; standard radiological display is assumed\.$/,
    "Die Datei gibt die Ausrichtung des Patienten nicht an; die radiologische Standardansicht wird angenommen.",
  ],
  [
    /^The slice is (\d+) degrees off a standard axial one; the result may be wrong\.$/,
    "Die Schicht weicht um $1 Grad von einer axialen Standardschicht ab; das Ergebnis kann falsch sein.",
  ],
  [
    /^The slice was turned to standard radiological display; coordinates refer to the image as sent\.$/,
    "Die Schicht wurde in die radiologische Standardansicht gedreht; Koordinaten beziehen sich auf das gesendete Bild.",
  ],
  [
    /^The picture was turned by its EXIF orientation; coordinates refer to its pixels as stored\.$/,
    "Das Bild wurde nach seiner EXIF-Ausrichtung gedreht; Koordinaten beziehen sich auf die gespeicherten Pixel.",
  ],
  [
    /^The file has no Hounsfield units; it was read in its own window\.$/,
    "Die Datei enthält keine Angaben zu Hounsfield-Einheiten; sie wurde mit ihrem eigenen Fenster gelesen.",
  ],
  [
    /^The file's RescaleType is not HU: it has no Hounsfield units; it was read in its own window\.$/,
    "RescaleType ist nicht HU: Die Datei enthält keine Hounsfield-Einheiten; sie wurde mit ihrem eigenen Fenster gelesen.",
  ],
  [
    /^The file is a secondary capture: it has no Hounsfield units; it was read in its own window\.$/,
    "Die Datei ist eine Secondary Capture: Sie enthält keine Hounsfield-Einheiten; sie wurde mit ihrem eigenen Fenster gelesen.",
  ],
  [
    /^The file's values cannot be Hounsfield units; it was read in its own window\.$/,
    "Die Werte der Datei können keine Hounsfield-Einheiten sein; sie wurde mit ihrem eigenen Fenster gelesen.",
  ],
];
