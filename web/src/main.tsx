import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { App } from "./App.tsx";
import { LanguageProvider } from "./i18n/LanguageProvider.tsx";
import { SessionProvider } from "./session/SessionProvider.tsx";
import "./tokens.css";
import "./controls.css";
import "./style.css";

const root = document.getElementById("app");
if (root === null) throw new Error("index.html has no element #app");
createRoot(root).render(
  <StrictMode>
    <LanguageProvider>
      <SessionProvider>
        <BrowserRouter>
          <App />
        </BrowserRouter>
      </SessionProvider>
    </LanguageProvider>
  </StrictMode>,
);
