/** What administrators do, one page each: accounts, audit log, sending, system. */
import { NavLink, Route, Routes } from "react-router";
import { usePageTitle } from "../components/usePageTitle.ts";
import { useTranslator } from "../i18n/LanguageProvider.tsx";
import { AuditPage } from "./administration/AuditPage.tsx";
import { SendingPage } from "./administration/SendingPage.tsx";
import { SystemPage } from "./administration/SystemPage.tsx";
import { UsersPage } from "./administration/UsersPage.tsx";
import { NotFoundPage } from "./NotFoundPage.tsx";

export default function AdministrationPage() {
  const translator = useTranslator();
  usePageTitle(translator.text("administration"));
  return (
    <section>
      <h1>{translator.text("administration")}</h1>
      <nav className="tabs" aria-label={translator.text("administration")}>
        <NavLink to="/administration" end>
          {translator.text("accounts")}
        </NavLink>
        <NavLink to="/administration/audit">{translator.text("auditLog")}</NavLink>
        <NavLink to="/administration/sending">{translator.text("sendingPage")}</NavLink>
        <NavLink to="/administration/system">{translator.text("system")}</NavLink>
      </nav>
      <Routes>
        <Route index element={<UsersPage />} />
        <Route path="audit" element={<AuditPage />} />
        <Route path="sending" element={<SendingPage />} />
        <Route path="system" element={<SystemPage />} />
        <Route path="*" element={<NotFoundPage />} />
      </Routes>
    </section>
  );
}
