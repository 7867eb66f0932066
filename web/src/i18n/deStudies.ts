/** German texts about studies: why one is refused, cannot be analysed or cannot be corrected. */
import type { Pattern } from "./dePatterns.ts";

export const STUDIES: readonly Pattern[] = [
  // Uploads
  [
    /^send the files as multipart\/form-data, each in a part named `file`, or one file as the body itself with a Content-Type of application\/zip, application\/dicom or application\/octet-stream$/,
    "Die Dateien müssen als Formular (multipart/form-data) oder eine Datei unmittelbar gesendet werden.",
  ],
  [/^there is no room left for the upload$/, "Für die Dateien ist kein Platz mehr frei."],
  [/^there is no room for the files of the study$/, "Für die Dateien der Studie ist kein Platz mehr frei."],
  [/^at most (\d+) files in one request$/, "Höchstens $1 Dateien je Anfrage sind möglich."],
  [/^an account may keep (\d+) studies$/, "Ein Konto darf $1 Studien aufbewahren."],
  [
    /^an account may keep (\d+) bytes; (\d+) are used, (\d+) needed$/,
    "Ein Konto darf $1 Bytes aufbewahren; davon sind $2 belegt, weitere $3 werden gebraucht.",
  ],
  [/^the study is stored already, as one of another patient$/, "Die Studie ist bereits gespeichert, und zwar als die eines anderen Patienten."],
  [/^there is no file in the upload$/, "Es wurde keine Datei gesendet."],
  [/^no uploaded file is DICOM \(number of files: (\d+)\)$/, "Keine der gesendeten Dateien ist eine DICOM-Datei (Zahl der Dateien: $1)."],
  [/^no file can be read; the first: (.+)$/, "Keine Datei ist lesbar. Zur ersten: $1"],
  [/^the study has over (\d+) images$/, "Die Studie hat mehr als $1 Bilder."],
  [/^over (\d+) files$/, "Es sind mehr als $1 Dateien."],
  [/^(\d+) files; at most (\d+)$/, "Es sind $1 Dateien, höchstens $2 sind möglich."],
  [/^over (\d+) frames$/, "Die Datei hat mehr als $1 Einzelbilder."],
  [/^a file has over (\d+) MiB$/, "Eine Datei hat mehr als $1 MiB."],
  [/^the headers of the study are too large$/, "Die Header der Studie sind zu groß."],
  [/^the file is empty$/, "Die Datei ist leer."],
  [
    /^a data set without the preamble of a DICOM file \((128) bytes and DICM\) is not read$/,
    "Ein Datensatz ohne die Präambel einer DICOM-Datei ($1 Bytes und DICM) wird nicht gelesen.",
  ],
  [/^the file is not DICOM$/, "Die Datei ist keine DICOM-Datei."],
  [/^the preamble of the DICOM file is neither zeros nor a TIFF header$/, "Die Präambel der DICOM-Datei besteht weder aus Nullen noch aus einem TIFF-Header."],
  [/^the DICOM file ends too early$/, "Die DICOM-Datei endet zu früh."],
  [/^SOPInstanceUID is missing or not a UID$/, "SOPInstanceUID fehlt oder ist keine UID."],
  [/^the files state more than one patient; send the study of one patient$/, "Die Dateien nennen mehr als einen Patienten; senden Sie die Studie eines Patienten."],
  [
    /^the files belong to more than one study \(StudyInstanceUID\); send one study at a time$/,
    "Die Dateien gehören zu mehr als einer Studie (StudyInstanceUID); senden Sie die Studien einzeln.",
  ],
  [/^the study was not read in time$/, "Die Studie wurde nicht rechtzeitig gelesen."],
  [/^the study could not be read at the moment$/, "Die Studie konnte zurzeit nicht gelesen werden."],
  [/^it needs more processor time or memory than a study within the limits does$/, "Die Datei braucht mehr Rechenzeit oder Speicher als eine Studie innerhalb der Grenzen."],

  // ZIP archives
  [/^the ZIP archive is damaged or not complete$/, "Das ZIP-Archiv ist beschädigt oder unvollständig."],
  [/^the file is damaged within the ZIP archive$/, "Die Datei ist innerhalb des ZIP-Archivs beschädigt."],
  [/^the ZIP archive has (\d+) members; at most (\d+)$/, "Das ZIP-Archiv hat $1 Einträge, höchstens $2 sind möglich."],
  [/^the ZIP archive inflates to more bytes than its directory states$/, "Das ZIP-Archiv enthält mehr Bytes, als sein Verzeichnis angibt."],
  [/^the ZIP archive inflates to over (\d+) times its size$/, "Das ZIP-Archiv enthält mehr als das $1-Fache seiner Größe."],
  [/^the ZIP archive holds over (\d+) MiB$/, "Das ZIP-Archiv enthält mehr als $1 MiB."],
  [/^a file of the ZIP archive has over (\d+) MiB$/, "Eine Datei des ZIP-Archivs hat mehr als $1 MiB."],
  [/^the directory of the ZIP archive is too large; send fewer files$/, "Das Verzeichnis des ZIP-Archivs ist zu groß; senden Sie weniger Dateien."],
  [/^the ZIP archive is encrypted; send it without a password$/, "Das ZIP-Archiv ist verschlüsselt; senden Sie es ohne Passwort."],
  [
    /^the ZIP archive uses a compression other than deflate; most programs' default is read$/,
    "Das ZIP-Archiv nutzt eine andere Kompression als Deflate; die Voreinstellung der meisten Programme wird gelesen.",
  ],
  [
    /^the ZIP archive has an absolute name, or one that leaves its folder$/,
    "Das ZIP-Archiv enthält einen absoluten Namen oder einen, der seinen Ordner verlässt.",
  ],
  [/^the ZIP archive has a link or a device in it$/, "Das ZIP-Archiv enthält eine Verknüpfung oder ein Gerät."],
  [/^members of the ZIP archive overlap$/, "Einträge des ZIP-Archivs überlappen sich."],
  [
    /^there is an archive in the archive; send the DICOM files in one ZIP$/,
    "Im Archiv liegt ein Archiv; senden Sie die DICOM-Dateien in einem einzigen ZIP-Archiv.",
  ],

  // NIfTI
  [/^a NIfTI volume is sent as the only file$/, "Ein NIfTI-Volumen wird als einzige Datei gesendet."],
  [/^the NIfTI file is damaged or ends too early$/, "Die NIfTI-Datei ist beschädigt oder endet zu früh."],
  [/^the header of the NIfTI file is damaged$/, "Der Header der NIfTI-Datei ist beschädigt."],
  [/^the file is not a NIfTI volume in one file \(\.nii, \.nii\.gz\)$/, "Die Datei ist kein NIfTI-Volumen in einer Datei (.nii, .nii.gz)."],
  [/^the file is neither a ZIP archive, DICOM nor NIfTI$/, "Die Datei ist weder ein ZIP-Archiv noch DICOM oder NIfTI."],
  [
    /^the NIfTI volume has colours or complex numbers, not Hounsfield units$/,
    "Das NIfTI-Volumen enthält Farben oder komplexe Zahlen statt Hounsfield-Einheiten.",
  ],
  [
    /^the NIfTI volume has (8) bits a voxel: labels or grey levels, not Hounsfield units$/,
    "Das NIfTI-Volumen hat $1 Bits je Voxel: Markierungen oder Graustufen statt Hounsfield-Einheiten.",
  ],
  [/^the NIfTI header states an implausible start of its data$/, "Der NIfTI-Header gibt einen unplausiblen Beginn der Daten an."],
  [
    /^the NIfTI file has (\d+) dimensions; one volume of three is read$/,
    "Die NIfTI-Datei hat $1 Dimensionen; gelesen wird ein einzelnes Volumen mit drei.",
  ],
  [
    /^the NIfTI volume has over (\d+) voxels, or an implausible size$/,
    "Das NIfTI-Volumen hat mehr als $1 Voxel oder eine unplausible Größe.",
  ],
  [
    /^the NIfTI file does not state its orientation \(sform_code and qform_code are (0)\)$/,
    "Die NIfTI-Datei gibt ihre Ausrichtung nicht an (sform_code und qform_code sind $1).",
  ],
  [/^the NIfTI file is not in millimetres$/, "Die Einheit der NIfTI-Datei ist nicht Millimeter."],
  [/^the orientation that the NIfTI file states is not plausible$/, "Die Ausrichtung, die die NIfTI-Datei angibt, ist nicht plausibel."],
  [
    /^the axes of the NIfTI volume are not perpendicular, as with a gantry tilt$/,
    "Die Achsen des NIfTI-Volumens stehen nicht senkrecht aufeinander, wie bei gekippter Gantry.",
  ],
  [/^the NIfTI volume is oblique; only volumes of axial slices are read$/, "Das NIfTI-Volumen ist schräg; nur Volumen aus axialen Schichten werden gelesen."],
  [
    /^the NIfTI volume was stored in (coronal|sagittal) slices; only axial ones are read$/,
    "Die Schichten des NIfTI-Volumens sind $1; nur axiale werden gelesen.",
  ],
  [
    /^the slices of the NIfTI volume are (\S+) mm apart, or its pixels too large$/,
    "Die Schichten des NIfTI-Volumens liegen $1 mm auseinander, oder seine Pixel sind zu groß.",
  ],
  [/^(\d+) slices of (\d+) x (\d+) pixels are too few$/, "$1 Schichten mit $2 x $3 Pixeln sind zu wenig."],
  [
    /^the values of the NIfTI volume are not Hounsfield units: there is no air, or no tissue$/,
    "Die Werte des NIfTI-Volumens sind keine Hounsfield-Einheiten: Luft oder Gewebe fehlt.",
  ],
  [/^the NIfTI volume has values that are not numbers$/, "Das NIfTI-Volumen hat Werte, die keine Zahlen sind."],

  // Series and volumes
  [/^the named series is not in the study$/, "Die genannte Serie ist nicht in der Studie."],
  [/^the named series cannot be analysed: (.+)$/, "Die genannte Serie kann nicht ausgewertet werden: $1"],
  [/^no series of the study can be analysed: (.+)$/, "Keine Serie der Studie kann ausgewertet werden: $1"],
  [
    /^the study has only coronal or sagittal slices; axial ones are needed$/,
    "Die Studie hat nur koronale oder sagittale Schichten; gebraucht werden axiale.",
  ],
  [/^too few images of the series could be decoded$/, "Zu wenige Bilder der Serie sind lesbar."],
  [/^images of over (\d+) mm of the series could not be decoded$/, "Bilder der Serie über mehr als $1 mm sind nicht lesbar."],
  [/^the images of the series could not be decoded: there are too few$/, "Die Bilder der Serie sind nicht lesbar: Es sind zu wenige."],
  [/^the images of the series could not be decoded: (?!there are too few$)(.+)$/, "Die Bilder der Serie sind nicht lesbar: $1"],
  [/^the image has another size than its header states$/, "Das Bild hat eine andere Größe, als sein Header angibt."],
  [/^the files do not state their orientation$/, "Die Dateien geben ihre Ausrichtung nicht an."],
  [/^the files do not state where the pixels are$/, "Die Dateien geben nicht an, wo die Pixel liegen."],
  [/^the files do not state where the slices are$/, "Die Dateien geben nicht an, wo die Schichten liegen."],

  // Analysis
  [/^the analysis broke off in each of its tries$/, "Die Auswertung brach bei jedem Versuch ab."],
  [/^the analysis did not begin$/, "Die Auswertung hat nicht begonnen."],
  [/^the analysis failed: (.+)$/, "Die Auswertung ist gescheitert: $1"],
  [/^models were replaced in the middle of a study$/, "Modelle wurden während der Auswertung ausgetauscht."],
  [/^the segmenter was replaced in the middle of a study$/, "Das Segmentierungsmodell wurde während der Auswertung ausgetauscht."],
  [/^the segmenter changed within a study$/, "Das Segmentierungsmodell wechselte während der Auswertung."],
  [/^a model service of an earlier version answered$/, "Ein Modelldienst einer früheren Version hat geantwortet."],
  [/^(\d+) answers for (\d+) slices$/, "Es gab $1 Antworten für $2 Schichten."],
  [/^the study is (queued|running|finished|failed|cancelled)$/, "Stand der Studie: $1."],
  [/^the storage of studies cannot be reached at the moment$/, "Der Speicher für Studien ist zurzeit nicht erreichbar."],
  [/^the storage of studies is full$/, "Der Speicher für Studien ist voll."],
  [/^the object does not exist$/, "Das Objekt gibt es nicht."],
  [/^more than (\d+) bytes$/, "Es sind mehr als $1 Bytes."],

  // Files, corrections and exports
  [/^the study has no such file$/, "Diese Datei hat die Studie nicht."],
  [/^the finding was taken back$/, "Der Befund wurde zurückgenommen."],
  [/^there is nothing to undo$/, "Es gibt nichts rückgängig zu machen."],
  [/^a version may have (\d+) corrections$/, "Eine Fassung darf $1 Korrekturen haben."],
  [/^other exports are in progress; try again later$/, "Andere Exporte laufen noch; versuchen Sie es später erneut."],
  [/^it was sent as NIfTI and has no DICOM images$/, "Sie wurde als NIfTI gesendet und hat keine DICOM-Bilder."],
  [/^the send is (waiting|sent)$/, "Stand der Sendung: $1."],
];
