/** Details of the problems of an image: why it is refused, or why it was not analysed. */
import type { Pattern } from "./dePatterns.ts";

export const REFUSALS: readonly Pattern[] = [
  // Files of any kind
  [/^the file ends too early$/, "Die Datei endet zu früh."],
  [/^the file is damaged$/, "Die Datei ist beschädigt."],
  [
    /^the bytes are neither PNG, JPEG, TIFF, BMP, WebP nor DICOM$/,
    "Der Inhalt der Datei ist weder PNG noch JPEG, TIFF, BMP, WebP oder DICOM.",
  ],
  [/^the picture has no contrast$/, "Das Bild hat keinen Kontrast."],
  [/^the picture has no contrast between (\S+) and (\S+) HU$/, "Das Bild hat zwischen $1 und $2 HU keinen Kontrast."],
  [/^over (\d+) pixels$/, "Das Bild hat mehr als $1 Pixel."],
  [/^(\d+) bytes; a picture may have (\d+)$/, "Die Datei hat $1 Bytes; höchstens $2 sind möglich."],
  [
    /^(\S+) x (\S+) pixels; at most (\d+) on a side and (\d+) in all$/,
    "Das Bild hat $1 x $2 Pixel; höchstens $3 je Seite und $4 insgesamt sind möglich.",
  ],
  [
    /^(\S+) x (\S+) pixels are too few for a CT slice; at least (\d+) a side$/,
    "$1 x $2 Pixel sind zu wenige für eine CT-Schicht; mindestens $3 je Seite sind erforderlich.",
  ],
  [
    /^it needs more processor time or memory than an image within the limits does$/,
    "Die Datei braucht mehr Rechenzeit oder Speicher als ein Bild innerhalb der Grenzen.",
  ],

  // Pictures
  [
    /^the (PNG|JPEG|TIFF|BMP|WEBP) file ends within its header, or its header is damaged$/,
    "Die $1-Datei endet in ihrem Header, oder der Header ist beschädigt.",
  ],
  [
    /^TIFF pictures of (\d+) x (\d+) bits of this kind are not read; window it first, and send 8 bits of grey$/,
    "TIFF-Bilder dieser Art mit $1 x $2 Bits werden nicht gelesen; wenden Sie zuerst ein Fenster an und senden Sie 8 Bits Grau.",
  ],
  [
    /^(lossless JPEG|JPEG-LS) pictures are not read; send PNG, or JPEG of 8 bits$/,
    "Bilder im $1-Format werden nicht gelesen; senden Sie PNG oder JPEG mit 8 Bits.",
  ],
  [/^JPEG pictures of (\d+) bits are not read; send 8 bits$/, "JPEG-Bilder mit $1 Bits werden nicht gelesen; senden Sie 8 Bits."],
  [/^the JPEG data is damaged or ends too early$/, "Die JPEG-Daten sind beschädigt oder enden zu früh."],
  [
    /^pictures of floating-point numbers are not read; window it first, and send 8 bits of grey$/,
    "Bilder aus Gleitkommazahlen werden nicht gelesen; wenden Sie zuerst ein Fenster an und senden Sie 8 Bits Grau.",
  ],
  [
    /^pictures of signed values are not read; window it first, and send 8 bits of grey$/,
    "Bilder mit vorzeichenbehafteten Werten werden nicht gelesen; wenden Sie zuerst ein Fenster an und senden Sie 8 Bits Grau.",
  ],
  [
    /^pictures of signed values are not read; window them first, and send 8 or 16 bits$/,
    "Bilder mit vorzeichenbehafteten Werten werden nicht gelesen; wenden Sie zuerst ein Fenster an und senden Sie 8 oder 16 Bits.",
  ],
  [/^pictures of more than 16 bits are not read; send 8 or 16 bits$/, "Bilder mit mehr als 16 Bits werden nicht gelesen; senden Sie 8 oder 16 Bits."],
  [
    /^the picture hardly uses the range of its 16 bits, as values in Hounsfield units do; window it first: black at 0 HU, white at 250 HU$/,
    "Das Bild nutzt den Bereich seiner 16 Bits kaum, wie Werte in Hounsfield-Einheiten; wenden Sie zuerst ein Fenster an: Schwarz bei 0 HU, Weiß bei 250 HU.",
  ],
  [/^BigTIFF in big-endian byte order is not read; send it as TIFF$/, "BigTIFF in der Bytefolge Big-Endian wird nicht gelesen; senden Sie es als TIFF."],
  [
    /^TIFF pictures with fax compression are not read; send 8 or 16 bits of grey$/,
    "TIFF-Bilder mit Fax-Kompression werden nicht gelesen; senden Sie 8 oder 16 Bits Grau.",
  ],
  [
    /^TIFF pictures with the JPEG compression of TIFF 6\.0 are not read; send PNG or JPEG$/,
    "TIFF-Bilder mit der JPEG-Kompression aus TIFF 6 werden nicht gelesen; senden Sie PNG oder JPEG.",
  ],
  [/^the TIFF file ends too early$/, "Die TIFF-Datei endet zu früh."],

  // DICOM: the file
  [
    /^the preamble of the DICOM file \(its first 128 bytes\) is neither zeros nor a TIFF header$/,
    "Die Präambel der DICOM-Datei (ihre ersten 128 Bytes) besteht weder aus Nullen noch aus einem TIFF-Header.",
  ],
  [
    /^a DICOM data set without the preamble of a DICOM file \(128 bytes and DICM\) is not read$/,
    "Ein DICOM-Datensatz ohne die Präambel einer DICOM-Datei (128 Bytes und DICM) wird nicht gelesen.",
  ],
  [/^a DICOMDIR is a list of files; send the files that it lists$/, "Ein DICOMDIR ist eine Liste von Dateien; senden Sie die Dateien, die es aufführt."],
  [
    /^the DICOM file states no transfer syntax; its header is damaged or ends too early$/,
    "Die DICOM-Datei gibt keine Transfersyntax an; ihr Header ist beschädigt oder endet zu früh.",
  ],
  [
    /^DICOM transfer syntax (.+) is not read; send it uncompressed$/,
    "Die DICOM-Transfersyntax ($1) wird nicht gelesen; senden Sie die Datei unkomprimiert.",
  ],
  [/^the DICOM file ends before its pixel data$/, "Die DICOM-Datei endet vor ihren Pixeldaten."],
  [/^the DICOM file ends within its pixel data$/, "Die DICOM-Datei endet in ihren Pixeldaten."],
  [/^the DICOM object ends before its last pixel$/, "Das DICOM-Objekt endet vor seinem letzten Pixel."],
  [/^the DICOM object has no pixels$/, "Das DICOM-Objekt hat keine Pixel."],
  [/^the header of the DICOM file is damaged$/, "Der Header der DICOM-Datei ist beschädigt."],
  [/^over (\d+) bytes when inflated$/, "Die Datei hat entpackt mehr als $1 Bytes."],
  [/^the deflated data of the DICOM file ends too early$/, "Die gepackten Daten der DICOM-Datei enden zu früh."],
  [
    /^the transfer syntax is (compressed|uncompressed), but the pixel data is (in fragments|not in fragments)$/,
    "Die Transfersyntax ist $1, die Pixeldaten liegen aber $2 vor.",
  ],
  [/^the fragments of the compressed pixel data are damaged$/, "Die Fragmente der komprimierten Pixeldaten sind beschädigt."],

  // DICOM: the kind of image
  [/^the DICOM object's modality is missing, not CT$/, "Die Modalität des DICOM-Objekts fehlt; nur CT wird gelesen."],
  [/^the DICOM object's modality is (unknown|[A-Z]+), not CT$/, "Die Modalität des DICOM-Objekts ist $1, nicht CT."],
  [
    /^a derived map \(([^()]+) in (\w+)\) is not read; send the CT slice itself$/,
    "Ein abgeleitetes Bild ($1 in $2) wird nicht gelesen; senden Sie die CT-Schicht selbst.",
  ],
  [/^the image is a localiser; only axial slices are read$/, "Das Bild ist eine Übersichtsaufnahme (Localizer); nur axiale Schichten werden gelesen."],
  [/^the slice is (sagittal|coronal|oblique); only axial slices are read$/, "Die Schicht ist $1; nur axiale Schichten werden gelesen."],
  [
    /^only greyscale DICOM is read \(MONOCHROME1, MONOCHROME2\), not (.+)$/,
    "Nur DICOM in Graustufen wird gelesen (MONOCHROME1, MONOCHROME2); PhotometricInterpretation ist hier $1.",
  ],
  [/^only greyscale DICOM is read; SamplesPerPixel is not 1$/, "Nur DICOM in Graustufen wird gelesen; SamplesPerPixel ist nicht 1."],
  [
    /^only greyscale DICOM is read; the compressed frame has colours$/,
    "Nur DICOM in Graustufen wird gelesen; das komprimierte Einzelbild ist farbig.",
  ],
  [
    /^DICOM pixels of floating-point numbers are not read; send 8 or 16 bits$/,
    "DICOM-Pixel aus Gleitkommazahlen werden nicht gelesen; senden Sie 8 oder 16 Bits.",
  ],
  [/^(\S+) bits a pixel are not read; 8 and 16 are$/, "$1 Bits je Pixel werden nicht gelesen, nur 8 und 16."],

  [/^the file's values are not Hounsfield units$/, "Die Werte der Datei sind keine Hounsfield-Einheiten."],

  // DICOM: frames
  [/^only a DICOM object has frames to choose from$/, "Nur ein DICOM-Objekt hat Einzelbilder zur Auswahl."],
  [/^(\S+) frames; at most (\d+)$/, "Zahl der Einzelbilder: $1; höchstens $2 sind möglich."],
  [
    /^there is no frame (\d+): the object has (\d+), counted from 0$/,
    "Das Einzelbild $1 gibt es nicht: Die Datei enthält $2, gezählt ab 0.",
  ],
  [/^the pixel data has no frame (\d+), counted from 0$/, "Die Pixeldaten enthalten kein Einzelbild $1, gezählt ab 0."],
  [/^the compressed frame is damaged or ends too early$/, "Das komprimierte Einzelbild ist beschädigt oder endet zu früh."],
  [/^the compressed data is damaged: a part of it is zeros$/, "Die komprimierten Daten sind beschädigt: Ein Teil besteht aus Nullen."],
  [/^the compressed data of the TIFF file is damaged$/, "Die komprimierten Daten der TIFF-Datei sind beschädigt."],
  [/^the compressed frame has no (JPEG|JPEG 2000) header$/, "Das komprimierte Einzelbild hat keinen $1-Header."],
  [
    /^the compressed frame is of another kind of JPEG than its transfer syntax states$/,
    "Das komprimierte Einzelbild ist eine andere Art von JPEG, als die Transfersyntax angibt.",
  ],
  [
    /^the compressed frame has (\S+) x (\S+) pixels, the DICOM header states (\d+) x (\d+)$/,
    "Das komprimierte Einzelbild hat $1 x $2 Pixel, der DICOM-Header gibt $3 x $4 an.",
  ],
  [
    /^the JPEG 2000 stream has negative values, but PixelRepresentation is 0 \(unsigned\)$/,
    "Die JPEG-2000-Daten haben negative Werte, aber PixelRepresentation ist 0 (ohne Vorzeichen).",
  ],

  // DICOM: values of elements. $1 is the name of the element.
  [
    /^(\w+) cannot be read; a decimal number has a point, not a comma$/,
    "$1 ist nicht lesbar; eine Dezimalzahl hat in DICOM einen Punkt, kein Komma.",
  ],
  [/^(\w+) is missing$/, "$1 fehlt."],
  [/^(\w+) is not a whole number$/, "$1 ist keine ganze Zahl."],
  [/^(\w+) is not one decimal number$/, "$1 ist nicht genau eine Dezimalzahl."],
  [/^(\w+) is not a number in a plausible range$/, "$1 ist keine Zahl in einem plausiblen Bereich."],
  [/^(\w+) is not made of numbers$/, "$1 besteht nicht aus Zahlen."],
  [/^(\w+) is not made of plausible numbers$/, "$1 besteht nicht aus plausiblen Zahlen."],
  [/^(\w+) has (\d+) values, not (\d+)$/, "Zahl der Werte von $1: $2 statt $3."],
  [
    /^(\w+) states sides of a pixel that differ by more than a factor of (\S+)$/,
    "$1 gibt Seiten eines Pixels an, die sich um mehr als den Faktor $2 unterscheiden.",
  ],
  [
    /^ImageOrientationPatient is not two perpendicular directions of length 1$/,
    "ImageOrientationPatient besteht nicht aus zwei senkrechten Richtungen der Länge 1.",
  ],
  [/^RescaleSlope is 0$/, "RescaleSlope ist 0."],
  [
    /^many values are over (\d+) HU: PixelRepresentation is wrong, or padding without PixelPaddingValue$/,
    "Viele Werte liegen über $1 HU: PixelRepresentation ist falsch, oder Füllwerte sind nicht als PixelPaddingValue angegeben.",
  ],
  [/^BitsStored is (\S+), with (\d+) bits allocated$/, "BitsStored ist $1, bei $2 Bits in BitsAllocated."],
  [/^HighBit is (\S+), with (\d+) of (\d+) bits stored$/, "HighBit ist $1, bei $2 gespeicherten von $3 Bits."],
  [/^PixelRepresentation is neither 0 nor 1$/, "PixelRepresentation ist weder 0 noch 1."],
  [/^every pixel is padding, as PixelPaddingValue states it$/, "Nach PixelPaddingValue besteht das Bild nur aus Füllwerten."],

  // Uploads
  [/^at most (\d+) bytes$/, "Höchstens $1 Bytes sind möglich."],
  [/^at most (\d+) bytes an image$/, "Höchstens $1 Bytes je Bild sind möglich."],
  [/^at most (\d+) images in one request$/, "Höchstens $1 Bilder je Anfrage sind möglich."],
  [
    /^send the image as multipart\/form-data with a part named `image`, or as the body itself with a Content-Type of image\/\.\.\. or application\/dicom$/,
    "Das Bild muss als Formular (multipart/form-data) oder unmittelbar mit dem Content-Type eines Bildes gesendet werden.",
  ],
  [
    /^send the images as multipart\/form-data, each in a part named `image`$/,
    "Die Bilder müssen als Formular (multipart/form-data) gesendet werden.",
  ],
  [
    /^no byte for (\S+) s, or not complete after (\S+) s$/,
    "Während $1 s kamen keine Daten an, oder die Datei war nach $2 s nicht vollständig.",
  ],
  [/^not complete after (\S+) s$/, "Die Anfrage war nach $1 s nicht vollständig."],

  // Load and failures
  [/^the image was not decoded in time$/, "Das Bild wurde nicht rechtzeitig gelesen."],
  [/^the image could not be decoded at the moment$/, "Das Bild konnte zurzeit nicht gelesen werden."],
  [
    /^the images before this one take too long; try again soon$/,
    "Die Bilder vor diesem dauern zu lange; versuchen Sie es in Kürze erneut.",
  ],
  [
    /^too many images of this account wait to be decoded; try again soon$/,
    "Zu viele Bilder dieses Kontos warten; versuchen Sie es in Kürze erneut.",
  ],
  [/^too many images wait to be decoded; try again soon$/, "Zu viele Bilder warten; versuchen Sie es in Kürze erneut."],
  [
    /^too many bytes of this account wait to be decoded; try again soon$/,
    "Zu viele Bytes dieses Kontos warten; versuchen Sie es in Kürze erneut.",
  ],
  [/^too many bytes wait to be decoded; try again soon$/, "Zu viele Bytes warten; versuchen Sie es in Kürze erneut."],
  [/^no model is loaded for this at the moment$/, "Zurzeit ist kein Modell dafür geladen."],
  [
    /^(\d+) of (\d+) models answered, (\d+) are required; try again soon$/,
    "$1 von $2 Modellen haben geantwortet, $3 sind erforderlich; versuchen Sie es in Kürze erneut.",
  ],
  [/^(\S+) is not available at the moment$/, "$1 ist zurzeit nicht verfügbar."],
  [/^(\S+) did not answer in time$/, "$1 hat nicht rechtzeitig geantwortet."],
  [/^(\S+) stopped before the end$/, "$1 hat vorzeitig abgebrochen."],
  [/^(\S+) gave (?:a wrong|no) answer$/, "$1 hat keine gültige Antwort gegeben."],
  [/^(\S+) has no input metadata$/, "$1 gibt seine Eingabe nicht an."],
  [/^(\S+) returned an output with an invalid value$/, "$1 hat eine Ausgabe mit einem ungültigen Wert geliefert."],
  [/^(\S+) returned an invalid output (\S+)$/, "$1 hat eine ungültige Ausgabe $2 geliefert."],
  [
    /^classification and detection returned different numbers of images$/,
    "Klassifikation und Detektion haben verschieden viele Bilder ausgewertet.",
  ],
];
