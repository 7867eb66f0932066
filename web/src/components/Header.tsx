import { useEffect, useState } from "react";
import { NavLink } from "react-router";
import { useLanguage, useTranslator } from "../i18n/LanguageProvider.tsx";
import { LANGUAGE_NAMES } from "../i18n/languages.ts";
import type { Language } from "../i18n/translator.ts";
import { useSession } from "../session/SessionProvider.tsx";

const THEME_STORAGE_KEY = "hepar-theme";

export function Header() {
  return (
    <header>
      <NavLink to="/" className="brand">
        <img src="/icon.svg" alt="" width="22" height="22" />
        Hepar
      </NavLink>
      <Navigation />
      <Appearance />
    </header>
  );
}

function Navigation() {
  const translator = useTranslator();
  const { account } = useSession();
  return (
    <nav aria-label="Hepar">
      {account ? (
        <>
          <NavLink to="/studies">{translator.text("studies")}</NavLink>
          <NavLink to="/upload">{translator.text("upload")}</NavLink>
          <NavLink to="/models">{translator.text("models")}</NavLink>
          <NavLink to="/account">{translator.text("account")}</NavLink>
          {account.role === "administrator" ? <NavLink to="/administration">{translator.text("administration")}</NavLink> : null}
        </>
      ) : null}
      <NavLink to="/help">{translator.text("help")}</NavLink>
      {account === null ? <NavLink to="/sign-in">{translator.text("signIn")}</NavLink> : null}
      {account === null ? <NavLink to="/sign-up">{translator.text("signUp")}</NavLink> : null}
    </nav>
  );
}

function Appearance() {
  const { language, translator, setLanguage } = useLanguage();
  const { account, signOut } = useSession();
  const [theme, setTheme] = useState(() => localStorage.getItem(THEME_STORAGE_KEY) ?? "system");
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
    localStorage.setItem(THEME_STORAGE_KEY, theme);
  }, [theme]);
  return (
    <div className="appearance">
      <label title={translator.text("theme")}>
        <svg width="14" height="14" viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="7" fill="none" stroke="currentColor" strokeWidth="2" />
          <path d="M8 1a7 7 0 0 1 0 14z" fill="currentColor" />
        </svg>
        <select aria-label={translator.text("theme")} value={theme} onChange={(event) => setTheme(event.target.value)}>
          <option value="system">{translator.text("systemTheme")}</option>
          <option value="dark">{translator.text("dark")}</option>
          <option value="light">{translator.text("light")}</option>
        </select>
      </label>
      <select aria-label={translator.text("language")} value={language} onChange={(event) => setLanguage(event.target.value as Language)}>
        {Object.entries(LANGUAGE_NAMES).map(([tag, name]) => (
          <option key={tag} value={tag} lang={tag}>
            {name}
          </option>
        ))}
      </select>
      {account ? (
        <button type="button" onClick={() => signOut("userSignedOut")}>
          {translator.text("signOut")}
        </button>
      ) : null}
    </div>
  );
}
