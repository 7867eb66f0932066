/** The frame around every page, and the routes. */
import { lazy, Suspense } from "react";
import { Outlet, Route, Routes } from "react-router";
import { Header } from "./components/Header.tsx";
import { PageDrop } from "./components/PageDrop.tsx";
import { RequireAccount } from "./components/RequireAccount.tsx";
import { useOnline } from "./components/useOnline.ts";
import { useStartAtTop } from "./components/useStartAtTop.ts";
import { useTranslator } from "./i18n/LanguageProvider.tsx";
import { ForgottenPasswordPage, ResetPasswordPage } from "./pages/ForgottenPasswordPage.tsx";
import { HelpPage } from "./pages/HelpPage.tsx";
import { HomePage } from "./pages/HomePage.tsx";
import { ModelsPage } from "./pages/ModelsPage.tsx";
import { NotFoundPage } from "./pages/NotFoundPage.tsx";
import { SignInPage } from "./pages/SignInPage.tsx";
import { SignUpPage } from "./pages/SignUpPage.tsx";
import { VerifyAddressPage } from "./pages/VerifyAddressPage.tsx";
import { useSession } from "./session/SessionProvider.tsx";

const AccountPage = lazy(() => import("./pages/AccountPage.tsx"));
const AdministrationPage = lazy(() => import("./pages/AdministrationPage.tsx"));
const StudiesPage = lazy(() => import("./pages/StudiesPage.tsx"));
const StudyPage = lazy(() => import("./pages/StudyPage.tsx"));
const UploadPage = lazy(() => import("./pages/UploadPage.tsx"));
const ReportPage = lazy(() => import("./pages/ReportPage.tsx"));
const ResultPage = lazy(() => import("./pages/ResultPage.tsx"));

export function App() {
  const translator = useTranslator();
  const { signOutReason } = useSession();
  const online = useOnline();
  useStartAtTop("main");
  return (
    <>
      <a className="skip" href="#main">
        {translator.text("skip")}
      </a>
      <Header />
      {online ? null : <Alert text={translator.text("offline")} />}
      {signOutReason === "sessionEnded" ? <Alert text={translator.text("sessionEnded")} /> : null}
      <main id="main" tabIndex={-1}>
        <Suspense fallback={<p role="status">{translator.text("loading")}</p>}>
          <Pages />
        </Suspense>
      </main>
      <footer>{translator.text("notice")}</footer>
      <PageDrop />
    </>
  );
}

function Pages() {
  return (
    <Routes>
      <Route path="/" element={<HomePage />} />
      <Route path="/sign-in" element={<SignInPage />} />
      <Route path="/sign-up" element={<SignUpPage />} />
      <Route path="/forgotten-password" element={<ForgottenPasswordPage />} />
      <Route path="/reset-password" element={<ResetPasswordPage />} />
      <Route path="/verify-address" element={<VerifyAddressPage />} />
      <Route path="/help" element={<HelpPage />} />
      <Route element={<RequireAccount><Outlet /></RequireAccount>}>
        <Route path="/studies" element={<StudiesPage />} />
        <Route path="/studies/:id" element={<StudyPage />} />
        <Route path="/studies/:id/report" element={<ReportPage />} />
        <Route path="/upload" element={<UploadPage />} />
        <Route path="/results/:id" element={<ResultPage />} />
        <Route path="/models" element={<ModelsPage />} />
        <Route path="/account" element={<AccountPage />} />
        <Route path="/administration/*" element={<AdministrationPage />} />
      </Route>
      <Route path="*" element={<NotFoundPage />} />
    </Routes>
  );
}

function Alert({ text }: { text: string }) {
  return (
    <p className="error" role="alert">
      {text}
    </p>
  );
}
