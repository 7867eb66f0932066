/** German titles and remedies of the gateway's problem types, by the last part of `type`. */
export interface ProblemText {
  title: string;
  remedy: string;
}

const LATER = "Versuchen Sie es in Kürze erneut.";
const REPORT = "Nennen Sie dem Betreiber die Nummer der Anfrage.";
const ASK = "Wenden Sie sich an die Verwaltung.";

export const deProblems: Record<string, ProblemText> = {
  "invalid-request": { title: "Die Anfrage ist ungültig", remedy: "Korrigieren Sie die genannten Angaben." },
  "malformed-request": { title: "Die Anfrage ist kein gültiges HTTP", remedy: REPORT },
  "unreadable-image": {
    title: "Die Datei ist kein lesbares Bild",
    remedy: "Öffnen Sie die Datei in einem anderen Programm und exportieren Sie die Schicht erneut.",
  },
  "unsupported-media": {
    title: "Das Format wird nicht unterstützt",
    remedy: "Verwenden Sie PNG, JPEG, TIFF, BMP, WebP oder DICOM-CT.",
  },
  "too-large": { title: "Die Datei ist zu groß", remedy: "Verwenden Sie einzelne Schichten statt ganzer Volumen." },
  "bad-content-length": { title: "Content-Length ist keine Zahl", remedy: REPORT },
  "headers-too-large": { title: "Die Kopfzeilen sind zu groß", remedy: "Löschen Sie die Cookies dieser Seite." },
  "url-too-long": { title: "Die Adresse ist zu lang", remedy: REPORT },
  "unknown-host": { title: "Der Server ist unter dieser Adresse nicht erreichbar", remedy: "Verwenden Sie die Adresse, die Ihnen genannt wurde." },
  "http-404": { title: "Diese Adresse gibt es nicht", remedy: REPORT },
  "http-405": { title: "Diese Methode ist hier nicht erlaubt", remedy: REPORT },
  unauthenticated: { title: "Bitte melden Sie sich an", remedy: "Melden Sie sich erneut an." },
  forbidden: { title: "Nicht erlaubt", remedy: "Ihre Rolle umfasst diese Funktion nicht. Bitten Sie die Verwaltung um eine andere Rolle." },
  "rate-limited": { title: "Zu viele Anfragen von Ihrem Konto", remedy: LATER },
  busy: { title: "Der Server ist ausgelastet", remedy: LATER },
  unavailable: { title: "Zurzeit nicht verfügbar", remedy: LATER },
  "below-quorum": { title: "Zu wenige Modelle haben geantwortet", remedy: LATER },
  "deadline-exceeded": { title: "Das Ergebnis lag nicht rechtzeitig vor", remedy: LATER },
  "upload-too-slow": { title: "Die Datei kam nicht rechtzeitig an", remedy: "Versuchen Sie es mit einer besseren Verbindung erneut." },
  "bad-upstream": { title: "Ein Teil des Systems hat fehlerhaft geantwortet", remedy: REPORT },
  "internal-error": { title: "Interner Fehler", remedy: REPORT },
  "idempotency-key-reused": { title: "Der Idempotency-Key gehört zu einer anderen Anfrage", remedy: REPORT },
  "idempotency-in-progress": { title: "Die erste Anfrage mit diesem Schlüssel läuft noch", remedy: LATER },
  "address-in-use": {
    title: "Zu dieser Adresse gibt es bereits ein Konto",
    remedy: "Melden Sie sich an oder verwenden Sie eine andere Adresse.",
  },
  "sign-up-closed": { title: "Die Registrierung ist geschlossen", remedy: "Bitten Sie die Verwaltung um ein Konto." },
  "weak-password": {
    title: "Das Passwort ist zu leicht zu erraten",
    remedy: "Wählen Sie einen langen Satz ohne Ihren Namen und Ihre Adresse.",
  },
  "address-not-verified": {
    title: "Die E-Mail-Adresse ist nicht bestätigt",
    remedy: "Öffnen Sie den Link in der E-Mail oder lassen Sie ihn noch einmal senden.",
  },
  "email-not-offered": { title: "Dieser Server versendet solche Links nicht", remedy: "Wenden Sie sich an die Verwaltung." },
  "invalid-link": { title: "Der Link ist nicht gültig", remedy: "Er wurde bereits verwendet oder ist abgelaufen. Lassen Sie sich einen neuen senden." },
  "wrong-password": { title: "Das Passwort ist falsch", remedy: "Geben Sie es erneut ein. Nach mehreren Fehlversuchen gibt es eine Wartezeit." },
  "wrong-credentials": {
    title: "Die Adresse oder das Passwort ist falsch",
    remedy: "Geben Sie beides erneut ein. Nach mehreren Fehlversuchen gibt es eine Wartezeit.",
  },
  "second-factor-required": {
    title: "Der Code des zweiten Faktors ist erforderlich",
    remedy: "Geben Sie den Code Ihrer Authenticator-App oder einen Wiederherstellungscode ein.",
  },
  "wrong-code": {
    title: "Der Code ist falsch oder wurde bereits verwendet",
    remedy: "Warten Sie auf den nächsten Code und prüfen Sie die Uhr Ihres Geräts.",
  },
  "wrong-otp": { title: "Der Code ist falsch oder schon benutzt", remedy: "Warten Sie auf den nächsten Code und prüfen Sie die Uhr Ihres Geräts." },
  "invalid-token-request": { title: "Die Anmeldung ist unvollständig", remedy: "Füllen Sie alle Felder aus." },
  "unsupported-grant-type": { title: "Diese Art der Anmeldung gibt es nicht", remedy: "Melden Sie sich mit Adresse und Passwort an." },
  "no-second-factor": { title: "Es ist kein zweiter Faktor eingerichtet", remedy: "Richten Sie zuerst einen ein." },
  "second-factor-active": { title: "Es ist bereits ein zweiter Faktor eingerichtet", remedy: "Entfernen Sie ihn zuerst." },
  "account-not-active": { title: "Das Konto ist nicht aktiv", remedy: `Es wartet auf Freigabe oder wurde gesperrt. ${ASK}` },
  "invalid-grant": { title: "Die Sitzung ist nicht mehr gültig", remedy: "Melden Sie sich erneut an." },
  "wrong-client": { title: "Die Client-Kennung oder das Geheimnis ist falsch", remedy: ASK },
  "too-many-attempts": { title: "Zu viele Versuche", remedy: "Warten Sie einige Minuten. Jeder weitere Versuch verlängert die Wartezeit." },
  "last-administrator": {
    title: "Dies ist das letzte Konto der Verwaltung",
    remedy: "Geben Sie zuerst einem anderen Konto die Rolle Verwaltung.",
  },
  "no-such-account": { title: "Dieses Konto gibt es nicht", remedy: "Laden Sie die Liste neu." },
  "not-pending": { title: "Das Konto wartet nicht auf Freigabe", remedy: "Laden Sie die Liste neu." },
  "no-such-session": { title: "Diese Sitzung gibt es nicht", remedy: "Laden Sie die Seite neu." },
  "no-such-client": { title: "Diesen Client gibt es nicht", remedy: "Laden Sie die Liste neu." },
  "insufficient-storage": { title: "Der Speicher ist voll", remedy: "Informieren Sie den Betreiber. Senden Sie die Studie später noch einmal, oder löschen Sie Studien, die Sie nicht mehr brauchen." },
  "quota-exceeded": { title: "Der Speicher des Kontos ist aufgebraucht", remedy: "Löschen Sie Studien, die Sie nicht mehr brauchen, oder bitten Sie den Betreiber um mehr Speicher." },
  "unreadable-study": { title: "Das ist keine lesbare Studie", remedy: "Senden Sie die CT-Studie eines Patienten: die DICOM-Dateien, wie sie vom Gerät oder aus dem PACS kommen, oder ein NIfTI-Volumen in Hounsfield-Einheiten." },
  "unsafe-archive": { title: "Das Archiv wird nicht angenommen", remedy: "Exportieren Sie die Studie noch einmal und senden Sie die DICOM-Dateien in einem einfachen ZIP-Archiv oder einzeln." },
  "no-such-study": { title: "Diese Studie gibt es nicht", remedy: "Laden Sie die Liste neu." },
  "no-such-slice": { title: "Diese Schicht gibt es nicht", remedy: "Laden Sie die Seite neu." },
  "no-such-webhook": { title: "Diesen Webhook gibt es nicht", remedy: "Laden Sie die Liste neu." },
  "too-many-webhooks": { title: "Das Konto hat zu viele Webhooks", remedy: "Löschen Sie einen, den Sie nicht mehr brauchen." },
  "no-such-destination": { title: "Dieses Ziel gibt es nicht", remedy: "Laden Sie die Liste der Ziele neu." },
  "no-such-send": { title: "Diese Sendung gibt es nicht", remedy: "Laden Sie die Liste neu." },
  "send-not-failed": { title: "Die Sendung ist nicht fehlgeschlagen", remedy: "Laden Sie die Liste neu. Wartende Sendungen werden von selbst wiederholt." },
  "study-ended": { title: "Die Studie wird nicht mehr analysiert", remedy: "Laden Sie die Seite neu, um zu sehen, wie die Analyse endete." },
  "study-not-finished": { title: "Es gibt noch kein Ergebnis", remedy: "Warten Sie, bis die Studie fertig ist." },
  "not-deidentifiable": { title: "Die Studie kann nicht de-identifiziert werden", remedy: "De-identifizieren Sie die Bilder mit einem Programm, das auch Pixel bereinigt, oder wählen Sie mit einer neuen Analyse eine andere Serie." },
  "analysis-failed": { title: "Die Studie konnte nicht analysiert werden", remedy: "Starten Sie eine neue Analyse. Scheitert sie wieder, melden Sie es mit der Kennung der Studie." },
  "too-many-secrets": { title: "Der Client hat zu viele Geheimnisse", remedy: "Entfernen Sie zuerst das ältere." },
};

/** German texts of invalid fields, by `code`. The gateway's English message is shown for other codes. */
export const deFieldErrors: Record<string, string> = {
  missing: "fehlt",
  too_short: "ist zu kurz",
  string_too_short: "ist zu kurz",
  string_too_long: "ist zu lang",
  string_pattern_mismatch: "hat nicht die verlangte Form",
  value_error: "ist ungültig",
  contains_own_words: "enthält Ihren Namen oder Ihre Adresse",
  too_common: "ist weit verbreitet oder folgt einem bekannten Muster",
  incomplete: "kam unvollständig an",
  empty: "ist leer",
  too_many: "kommt mehr als einmal vor",
  invalid_multipart: "Das Formular ist beschädigt oder endet zu früh",
  unreadable: "ist nicht lesbar",
  unknown: "ist hier nicht bekannt",
  unknown_model: "ist kein Modell dieses Servers",
  unknown_method: "ist kein bekanntes Verfahren",
  unknown_cursor: "gehört nicht zu dieser Liste",
  invalid_format: "hat nicht die verlangte Form",
  invalid_credentials: "enthält keine gültigen Zugangsdaten",
  reused: "wurde bereits verwendet",
  invalid_boundary: "enthält keine gültige Trennmarke (boundary)",
};
