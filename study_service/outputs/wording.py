"""The words, numbers and dates of the report and of the key images, in English and in German."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from hepar.contracts.study_files import Language
from hepar.contracts.wording import HIGHEST, LOWEST

MISSING = "\N{EN DASH}"


@dataclass(frozen=True)
class Wording:
    """decimal: separates units from tenths.  percent_sign: with the space before it.  date_format: of strftime.

    texts: by key, the same keys in all.
    """

    decimal: str
    percent_sign: str
    date_format: str
    texts: Mapping[str, str]

    def __getitem__(self, key: str) -> str:
        return self.texts[key]

    def number(self, value: float | None, decimals: int) -> str:
        return MISSING if value is None else f"{value:.{decimals}f}".replace(".", self.decimal)

    def percent(self, share: float | None) -> str:
        """share: 0 to 1. Never rounded to certainty."""
        if share is None:
            return MISSING
        rounded = (
            f"> {100 * HIGHEST:g}"
            if share > HIGHEST
            else f"< {100 * LOWEST:g}"
            if share < LOWEST
            else f"{100 * share:.0f}"
        )
        return f"{rounded}{self.percent_sign}"

    def date(self, value: date) -> str:
        return value.strftime(self.date_format)

    def time(self, value: datetime) -> str:
        return f"{self.date(value)} {value:%H:%M} UTC"

    def term(self, group: str, value: str | None) -> str:
        """A value of an enumeration, or the value itself where there is no word for it."""
        return MISSING if value is None else self.texts.get(f"{group}.{value}", value)


_ENGLISH = {
    "notice": "Research software, not a medical device. Not for diagnosis or treatment decisions.",
    "badge": "RESEARCH USE ONLY",
    "title": "Liver CT",
    "subtitle": "Automatic analysis of focal liver lesions",
    "patient": "Patient",
    "patient_id": "Patient ID",
    "birth_date": "Date of birth",
    "sex": "Sex",
    "sex.M": "male",
    "sex.F": "female",
    "sex.O": "other",
    "accession": "Accession number",
    "study_date": "Date of study",
    "series": "Series",
    "created": "Analysed",
    "result_version": "Result version",
    "study_id": "Result",
    "findings": "Findings",
    "tumour_probability": "Tumour probability",
    "type": "Most probable type",
    "certainty": "Certainty",
    "liver_volume": "Liver volume",
    "tumour_volume": "Lesion volume",
    "slice": "Slice",
    "slices": "Slices",
    "window": "window 0 to 250 HU",
    "lesion": "Lesion",
    "lobe": "Lobe",
    "axes": "Long \N{MULTIPLICATION SIGN} short axis",
    "volume": "Volume",
    "probability": "Probability",
    "measurable": "Measurable",
    "yes": "yes",
    "no": "no",
    "box_axes": "* Sides of the bounding box: there is no outline of this lesion.",
    "key_images": "Key images",
    "legend": "Liver window, 0 to 250 HU. Green: liver. Solid: outline of a lesion, with axes. Dashed: bounding box.",
    "more": "{count} more in the files of the result.",
    "no_lesions": "No lesions to list.",
    "reading": "Corrections by readers",
    "reading_figures": "As read: lesions {lesions}, volume {volume}; rejected {rejected}, added {added}, not reviewed "
    "{unreviewed}. Everything above is the models\N{RIGHT SINGLE QUOTATION MARK} own answer.",
    "reader_added": "added by a reader",
    "by_models": "models",
    "outline": "Outline",
    "status.unreviewed": "commented",
    "status.accepted": "accepted",
    "status.rejected": "rejected",
    "status.withdrawn": "taken back",
    "role.clinician": "clinician",
    "role.researcher": "researcher",
    "role.integrator": "integrator",
    "role.administrator": "administrator",
    "role.system": "hospital system",
    "method": "Method",
    "models": "Models",
    "missing_models": "Did not answer",
    "software": "Software",
    "input": "Input",
    "chosen": "{images} images; {reason}",
    "remarks": "Remarks on the study",
    "limits_title": "Limits",
    "limits": "The networks were trained on synthetic lesions in CT images and tell metastasis from cholangiocarcinoma "
    "only. Other lesions, such as cysts, haemangiomas and hepatocellular carcinoma, may be missed or take one of these "
    "names. "
    "Axes are longest diameters in one slice, and the longest diameters perpendicular to them. "
    "Probabilities are estimates of the software. Nobody has verified this report.",
    "page": "Page",
    "of": "of",
    "label.metastasis": "Metastasis",
    "label.cholangiocarcinoma": "Cholangiocarcinoma",
    "label.hepatocellular_carcinoma": "Hepatocellular carcinoma",
    "label.haemangioma": "Haemangioma",
    "label.cyst": "Cyst",
    "label.other": "Other lesion",
    "certainty.high": "high",
    "certainty.moderate": "moderate",
    "certainty.low": "low",
    "lobe.left": "left",
    "lobe.right": "right",
}
_GERMAN = {
    "notice": "Forschungssoftware, kein Medizinprodukt. Nicht für Diagnosen oder Therapieentscheidungen.",
    "badge": "NUR FÜR DIE FORSCHUNG",
    "title": "CT der Leber",
    "subtitle": "Automatische Auswertung fokaler Leberläsionen",
    "patient": "Patient",
    "patient_id": "Patienten-ID",
    "birth_date": "Geburtsdatum",
    "sex": "Geschlecht",
    "sex.M": "männlich",
    "sex.F": "weiblich",
    "sex.O": "divers",
    "accession": "Auftragsnummer",
    "study_date": "Untersuchung vom",
    "series": "Serie",
    "created": "Ausgewertet",
    "result_version": "Version des Ergebnisses",
    "study_id": "Ergebnis",
    "findings": "Befunde",
    "tumour_probability": "Tumorwahrscheinlichkeit",
    "type": "Wahrscheinlichster Typ",
    "certainty": "Sicherheit",
    "liver_volume": "Lebervolumen",
    "tumour_volume": "Läsionsvolumen",
    "slice": "Schicht",
    "slices": "Schichten",
    "window": "Fenster 0 bis 250 HE",
    "lesion": "Läsion",
    "lobe": "Lappen",
    "axes": "Längs- \N{MULTIPLICATION SIGN} Querachse",
    "volume": "Volumen",
    "probability": "Wahrscheinlichkeit",
    "measurable": "Messbar",
    "yes": "ja",
    "no": "nein",
    "box_axes": "* Seiten der umschließenden Box: Diese Läsion hat keinen Umriss.",
    "key_images": "Schlüsselbilder",
    "legend": "Leberfenster, 0 bis 250 HE. Grün: Leber. Durchgezogen: Umriss einer Läsion, mit Achsen. "
    "Gestrichelt: umschließende Box.",
    "more": "{count} weitere in den Dateien des Ergebnisses.",
    "no_lesions": "Keine Läsionen aufzuführen.",
    "reading": "Korrekturen durch Befundende",
    "reading_figures": "Nach Korrektur: Läsionen {lesions}, Volumen {volume}; abgelehnt {rejected}, ergänzt {added}, "
    "nicht geprüft {unreviewed}. Alles oben Genannte ist die Antwort der Modelle.",
    "reader_added": "ergänzt",
    "by_models": "Modelle",
    "outline": "Umriss",
    "status.unreviewed": "kommentiert",
    "status.accepted": "bestätigt",
    "status.rejected": "abgelehnt",
    "status.withdrawn": "zurückgenommen",
    "role.clinician": "klinisch tätige Person",
    "role.researcher": "forschende Person",
    "role.integrator": "Integration",
    "role.administrator": "Administration",
    "role.system": "Krankenhaussystem",
    "method": "Methode",
    "models": "Modelle",
    "missing_models": "Ohne Antwort",
    "software": "Software",
    "input": "Eingabe",
    "chosen": "{images} Bilder; {reason}",
    "remarks": "Hinweise zur Untersuchung",
    "limits_title": "Grenzen",
    "limits": "Die Netze wurden an künstlichen Läsionen in CT-Bildern trainiert und unterscheiden nur Metastasen und "
    "Cholangiokarzinome. Andere Läsionen wie Zysten, Hämangiome und hepatozelluläre Karzinome können übersehen oder so "
    "benannt werden. Achsen sind die längsten Durchmesser in einer Schicht und die längsten dazu senkrechten. "
    "Wahrscheinlichkeiten sind Schätzungen der Software. Niemand hat diesen Bericht geprüft.",
    "page": "Seite",
    "of": "von",
    "label.metastasis": "Metastase",
    "label.cholangiocarcinoma": "Cholangiokarzinom",
    "label.hepatocellular_carcinoma": "Hepatozelluläres Karzinom",
    "label.haemangioma": "Hämangiom",
    "label.cyst": "Zyste",
    "label.other": "Andere Läsion",
    "certainty.high": "hoch",
    "certainty.moderate": "mittel",
    "certainty.low": "gering",
    "lobe.left": "links",
    "lobe.right": "rechts",
}
WORDS: Mapping[Language, Wording] = {
    "en": Wording(".", "%", "%Y-%m-%d", _ENGLISH),
    "de": Wording(",", " %", "%d.%m.%Y", _GERMAN),
}
