/** German texts of passwords, addresses, the second factor and sessions. */
import type { MessagesOf } from "./en.ts";
import type { enAccount } from "./enAccount.ts";

export const deAccount: MessagesOf<typeof enAccount> = {
  forgottenPassword: "Passwort vergessen",
  forgottenPasswordHint: "Geben Sie die E-Mail-Adresse Ihres Kontos ein. Sie erhalten einen Link, mit dem Sie ein neues Passwort setzen.",
  sendLink: "Link senden",
  linkSent: "Wenn zu der Adresse ein Konto gehört, ist ein Link unterwegs. Das kann einige Minuten dauern; sehen Sie auch im Spam-Ordner nach.",
  verifyAddress: "E-Mail-Adresse bestätigen",
  verifyAddressHint: "Geben Sie die E-Mail-Adresse ein, mit der Sie sich registriert haben, um den Link noch einmal zu erhalten.",
  verifyAddressPrompt: "Bestätigen Sie, dass die Adresse, an die wir den Link gesendet haben, Ihre ist.",
  addressVerified: "Ihre E-Mail-Adresse ist bestätigt.",
  awaitingVerification: "Wir haben einen Link an Ihre E-Mail-Adresse gesendet. Öffnen Sie ihn, um die Adresse zu bestätigen, und melden Sie sich dann an.",
  secondFactor: "Zweiter Faktor",
  secondFactorOn: "Zur Anmeldung ist zusätzlich zum Passwort ein Code erforderlich.",
  secondFactorOff: "Zur Anmeldung genügt das Passwort.",
  setUp: "Einrichten",
  confirm: "Bestätigen",
  removeSecondFactor: "Zweiten Faktor entfernen",
  changeRole: "Rolle ändern",
  changeRoleHint: "{email} erhält die Rolle „{role}“. Bestätigen Sie mit Ihrem eigenen Passwort.",
  resetSecondFactor: "Zweiten Faktor zurücksetzen",
  resetSecondFactorHint:
    "{email} meldet sich danach nur mit dem Passwort an, und alle Sitzungen des Kontos enden. Vergewissern Sie sich, dass der Inhaber des Kontos darum bittet, und bestätigen Sie mit Ihrem eigenen Passwort.",
  scanHint: "Scannen Sie diesen Code mit Ihrer Authenticator-App und geben Sie dann die sechs Ziffern ein, die die App zeigt.",
  qrCode: "QR-Code mit dem Geheimnis des zweiten Faktors",
  secretHint: "Wenn Sie ihn nicht scannen können, geben Sie dieses Geheimnis in der App ein:",
  recoveryCodes: "Wiederherstellungscodes: Bewahren Sie sie sicher auf. Jeder Code gilt einmal. Sie werden nicht noch einmal angezeigt.",
  sessions: "Sitzungen",
  currentSession: "diese Sitzung",
  sessionUsed: "Zuletzt benutzt {time}",
  endSession: "Sitzung beenden",
};
