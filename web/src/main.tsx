import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { App } from "./app.tsx";
import { Speaking } from "./i18n.tsx";
import { SignedIn } from "./session.tsx";
import "./style.css";

const root = document.getElementById("app");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Speaking>
        <SignedIn>
          <BrowserRouter>
            <App />
          </BrowserRouter>
        </SignedIn>
      </Speaking>
    </StrictMode>,
  );
}
