/** The frame around every page. */
import { lazy, Suspense, useEffect, useRef, useState, type ReactNode } from "react";
import { Navigate, NavLink, Route, Routes, useLocation } from "react-router";
import { useSay, useSpeech, type Language } from "./i18n.tsx";
import { Administration } from "./pages/Administration.tsx";
import { AccountPage } from "./pages/Account.tsx";
import { Models } from "./pages/Models.tsx";
import { Help, Home, Nowhere } from "./pages/Plain.tsx";
import { SignIn, SignUp } from "./pages/Entry.tsx";
import { Queue } from "./queue.ts";
import { useSession } from "./session.tsx";

const Upload = lazy(() => import("./pages/Upload.tsx"));
const Result = lazy(() => import("./pages/Result.tsx"));

export function App() {
  const say = useSay();
  const { account, signOut, tokens, ended } = useSession();
  const queue = useRef<Queue>(null);
  queue.current ??= new Queue(tokens);
  const online = useOnline();
  return (
    <>
      <a className="skip" href="#main">
        {say("skip")}
      </a>
      <header>
        <NavLink to="/" className="brand">
          Hepar
        </NavLink>
        <nav aria-label="Hepar">
          {account ? (
            <>
              <NavLink to="/upload">{say("upload")}</NavLink>
              <NavLink to="/models">{say("models")}</NavLink>
              <NavLink to="/account">{say("account")}</NavLink>
              {account.role === "administrator" ? <NavLink to="/administration">{say("administration")}</NavLink> : null}
            </>
          ) : null}
          <NavLink to="/help">{say("help")}</NavLink>
          {account === null ? <NavLink to="/sign-in">{say("signIn")}</NavLink> : null}
          {account === null ? <NavLink to="/sign-up">{say("signUp")}</NavLink> : null}
          {account ? (
            <button type="button" onClick={() => void signOut()}>
              {say("signOut")}
            </button>
          ) : null}
        </nav>
        <Appearance />
      </header>
      {online ? null : <p className="trouble" role="alert">{say("offline")}</p>}
      {ended ? <p className="trouble" role="alert">{say("sessionEnded")}</p> : null}
      <main id="main" tabIndex={-1}>
        <Suspense fallback={<p role="status">…</p>}>
          <Routes>
            <Route path="/" element={<Home />} />
            <Route path="/sign-in" element={<SignIn />} />
            <Route path="/sign-up" element={<SignUp />} />
            <Route path="/help" element={<Help />} />
            <Route path="/upload" element={<Only><Upload queue={queue.current} /></Only>} />
            <Route path="/results/:id" element={<Only><Result queue={queue.current} /></Only>} />
            <Route path="/models" element={<Only><Models /></Only>} />
            <Route path="/account" element={<Only><AccountPage /></Only>} />
            <Route path="/administration" element={<Only><Administration /></Only>} />
            <Route path="*" element={<Nowhere />} />
          </Routes>
        </Suspense>
      </main>
      <footer>{say("notice")}</footer>
    </>
  );
}

/** For whoever is signed in; others sign in first and come back. */
function Only({ children }: { children: ReactNode }) {
  const { account } = useSession();
  const { pathname } = useLocation();
  if (account === undefined) return <p role="status">…</p>;
  return account === null ? <Navigate to="/sign-in" replace state={{ back: pathname }} /> : children;
}

function Appearance() {
  const say = useSay();
  const { language, speak } = useSpeech();
  const [theme, setTheme] = useState(() => localStorage.getItem("hepar-theme") ?? "dark");
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
    localStorage.setItem("hepar-theme", theme);
  }, [theme]);
  return (
    <div className="appearance">
      <select aria-label={say("theme")} value={theme} onChange={(event) => setTheme(event.target.value)}>
        <option value="dark">{say("dark")}</option>
        <option value="light">{say("light")}</option>
      </select>
      <select aria-label={say("language")} value={language} onChange={(event) => speak(event.target.value as Language)}>
        <option value="en">English</option>
        <option value="de">Deutsch</option>
      </select>
    </div>
  );
}

function useOnline(): boolean {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const told = () => setOnline(navigator.onLine);
    addEventListener("online", told);
    addEventListener("offline", told);
    return () => {
      removeEventListener("online", told);
      removeEventListener("offline", told);
    };
  }, []);
  return online;
}
