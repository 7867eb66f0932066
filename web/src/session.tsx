/** Who is signed in. The access token lives in memory, the refresh token in this tab; each refresh token counts once. */
import { createContext, use, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import {
  answered,
  createHepar,
  HeparProblem,
  type HeparClient,
  type Problem,
  type Schemas,
} from "../../clients/typescript/src/index.ts";

export type Account = Schemas["Account"];
export type Analysis = Schemas["Analysis"];
export type Classification = Schemas["Classification"];
export type Detection = Schemas["Detection"];
export type ServedModel = Schemas["ServedModel"];
export type Curves = Schemas["Curves"];
export type { Problem };
export { answered, HeparProblem };
export { isProblem } from "../../clients/typescript/src/index.ts";

const KEPT = "hepar-refresh-token";
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

/** Renews and hands out the access token. */
export class Tokens {
  private access: string | undefined;
  private renewing: Promise<string | undefined> | undefined;
  readonly onEnd = new Set<() => void>();

  current(): string | undefined {
    return this.access;
  }

  get known(): boolean {
    return this.access !== undefined || sessionStorage.getItem(KEPT) !== null;
  }

  async signIn(email: string, password: string, otp: string): Promise<void> {
    const form = { grant_type: "password", username: email, password, ...(otp ? { otp } : {}) };
    this.take(answered(await post(form)));
  }

  /** One at a time, whoever asks. Undefined where the session has ended. */
  renew(): Promise<string | undefined> {
    this.renewing ??= this.renewed().finally(() => {
      this.renewing = undefined;
    });
    return this.renewing;
  }

  async signOut(): Promise<void> {
    const token = sessionStorage.getItem(KEPT);
    this.forget();
    if (token !== null) {
      await bare.POST("/v1/token/revoke", { body: { token }, bodySerializer: serialised, headers: FORM }).catch(() => undefined);
    }
  }

  private async renewed(): Promise<string | undefined> {
    const refresh = sessionStorage.getItem(KEPT);
    if (refresh === null) return undefined;
    const result = await post({ grant_type: "refresh_token", refresh_token: refresh });
    if (result.response.status === 401) {
      this.forget();
      for (const told of this.onEnd) told();
      return undefined;
    }
    this.take(answered(result));
    return this.access;
  }

  private take(token: Schemas["AccessToken"]): void {
    this.access = token.access_token;
    if (token.refresh_token) sessionStorage.setItem(KEPT, token.refresh_token);
  }

  private forget(): void {
    this.access = undefined;
    sessionStorage.removeItem(KEPT);
  }
}

const bare = createHepar("");

function serialised(form: unknown): URLSearchParams {
  return new URLSearchParams(form as Record<string, string>);
}

function post(form: Record<string, string>) {
  return bare.POST("/v1/token", { body: form as never, bodySerializer: serialised, headers: FORM });
}

interface Session {
  hepar: HeparClient;
  tokens: Tokens;
  /** undefined while it is being found out, null where nobody is signed in. */
  account: Account | null | undefined;
  ended: boolean;
  signIn(email: string, password: string, otp: string): Promise<void>;
  signOut(): Promise<void>;
  reload(): Promise<void>;
}

const Context = createContext<Session | null>(null);

export function SignedIn({ children }: { children: ReactNode }) {
  const tokens = useRef<Tokens>(null);
  tokens.current ??= new Tokens();
  const [account, setAccount] = useState<Account | null>();
  const [ended, setEnded] = useState(false);
  const hepar = useMemo(() => createHepar("", tokens.current as Tokens), []);
  const session = useMemo<Session>(() => {
    const all = tokens.current as Tokens;
    const reload = async () => setAccount(answered(await hepar.GET("/v1/users/me")));
    return {
      hepar,
      tokens: all,
      account,
      ended,
      reload,
      async signIn(email, password, otp) {
        await all.signIn(email, password, otp);
        setEnded(false);
        await reload();
      },
      async signOut() {
        await all.signOut();
        setAccount(null);
      },
    };
  }, [account, ended, hepar]);
  useEffect(() => {
    const all = tokens.current as Tokens;
    const told = () => {
      setEnded(true);
      setAccount(null);
    };
    all.onEnd.add(told);
    void (async () => {
      try {
        if (!all.known || (await all.renew()) === undefined) setAccount(null);
        else setAccount(answered(await hepar.GET("/v1/users/me")));
      } catch {
        setAccount(null);
      }
    })();
    return () => {
      all.onEnd.delete(told);
    };
  }, [hepar]);
  return <Context value={session}>{children}</Context>;
}

export function useSession(): Session {
  const session = use(Context);
  if (session === null) throw new Error("outside of SignedIn");
  return session;
}
