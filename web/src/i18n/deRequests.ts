/** Details of problems with a request, a token or an account, in any part of the API. */
import type { Pattern } from "./dePatterns.ts";

export const REQUESTS: readonly Pattern[] = [
  // The form of a request
  [/^CONNECT is not supported$/, "Die Methode CONNECT wird nicht unterstützt."],
  [/^at most (\d+) headers and (\d+) bytes of them$/, "Höchstens $1 Kopfzeilen mit zusammen $2 Bytes sind möglich."],
  [/^send exactly one Host header with a name of this server$/, "Die Anfrage muss genau einen Host-Header mit einem Namen dieses Servers haben."],
  [/^the header (\S+) has characters that are not ASCII$/, "Die Kopfzeile $1 enthält Zeichen außerhalb von ASCII."],
  [/^the header (\S+) comes more than once$/, "Die Kopfzeile $1 kommt mehr als einmal vor."],
  [/^the Content-Encoding (\S+) is not read: send bytes as they are$/, "Content-Encoding $1 wird nicht gelesen; senden Sie die Bytes unverändert."],
  [/^send the body as (\S+)$/, "Die Daten müssen mit dem Content-Type $1 gesendet werden."],
  [/^make a new key for each new request$/, "Jede neue Anfrage braucht einen neuen Schlüssel."],
  [/^the body is larger than any that this server accepts$/, "Die Anfrage ist größer, als dieser Server annimmt."],

  // Limits
  [/^this account may send (\d+) requests a minute$/, "Dieses Konto kann $1 Anfragen je Minute senden."],
  [/^this address may send (\d+) requests a minute$/, "Diese Netzwerkadresse kann $1 Anfragen je Minute senden."],
  [/^at most (\d+) connections from one address$/, "Höchstens $1 Verbindungen von einer Adresse sind möglich."],
  [/^try again in (\d+) s$/, "Versuchen Sie es in $1 s erneut."],
  [/^too many new passwords are being checked$/, "Zurzeit werden zu viele neue Passwörter geprüft."],
  [/^accounts cannot be reached at the moment$/, "Die Konten sind zurzeit nicht erreichbar."],
  [/^the gateway's state cannot be reached at the moment$/, "Der Zustand des Gateways ist zurzeit nicht erreichbar."],
  [/^there is no room left for accounts$/, "Für Konten ist kein Platz mehr."],
  [/^there is no room left for the gateway's state$/, "Für den Zustand des Gateways ist kein Platz mehr."],
  [/^sign-in cannot be checked at the moment$/, "Die Anmeldung kann zurzeit nicht geprüft werden."],

  // Tokens
  [/^send the header `Authorization: Bearer <token>`$/, "Die Anfrage hat kein Zugriffstoken."],
  [/^the Authorization header is not a single bearer token$/, "Der Authorization-Header ist kein einzelnes Bearer-Token."],
  [/^the token is not valid$/, "Das Token ist ungültig."],
  [/^the token is too long$/, "Das Token ist zu lang."],
  [/^the token is not a signed JWT$/, "Das Token ist kein signiertes JWT."],
  [/^the token's header is not acceptable$/, "Der Header des Tokens ist nicht zulässig."],
  [/^the token names no key$/, "Das Token nennt keinen Schlüssel."],
  [/^the token's key is not known$/, "Der Schlüssel des Tokens ist nicht bekannt."],
  [/^the token is not meant for this server$/, "Das Token gilt nicht für diesen Server."],
  [/^the token has expired$/, "Das Token ist abgelaufen."],
  [/^the token is not valid yet$/, "Das Token ist noch nicht gültig."],
  [/^the token's (\w+) is missing$/, "Im Token fehlt $1."],
  [/^the token's (\w+) is not a text$/, "$1 im Token ist kein Text."],
  [/^the token was revoked$/, "Das Token wurde widerrufen."],
  [/^the token lacks the scope `([\w-]+)`$/, "Dem Token fehlt die Berechtigung `$1`."],

  // Accounts
  [/^the session has ended$/, "Die Sitzung ist beendet."],
  [/^the account is not active$/, "Das Konto ist nicht aktiv."],
  [/^the account is pending$/, "Das Konto wartet auf Freigabe."],
  [/^the account is deactivated$/, "Das Konto ist deaktiviert."],
  [/^the account no longer exists$/, "Das Konto gibt es nicht mehr."],
  [/^the client no longer exists$/, "Den Client gibt es nicht mehr."],
  [/^the password was changed in the meantime$/, "Das Passwort wurde inzwischen geändert."],
  [/^only people have an account$/, "Nur Personen haben ein Konto."],
  [/^only people have sessions$/, "Nur Personen haben Sitzungen."],
];
