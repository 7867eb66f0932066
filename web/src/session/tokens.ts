/** The access token is kept in memory, the refresh token in the tab's session storage. A refresh token is single-use. */
import { createHepar, dataOrThrow, type Schemas, type TokenSource } from "../api.ts";

const STORAGE_KEY = "hepar-refresh-token";
// Device tokens of the accounts that signed in with this browser; they are no credentials and outlive the session.
const DEVICES_KEY = "hepar-devices";
const DEVICES_MAX = 8;
const HEADERS = { "Content-Type": "application/x-www-form-urlencoded" };

const anonymous = createHepar("");

/** onSessionEnd: called when the gateway no longer accepts the refresh token. */
export class Tokens implements TokenSource {
  private accessToken: string | undefined;
  private renewal: Promise<string | undefined> | undefined;
  // Counts sign-ins and sign-outs: a renewal that began before one of them must not restore the previous session.
  private generation = 0;

  constructor(private readonly onSessionEnd: () => void) {}

  current(): string | undefined {
    return this.accessToken;
  }

  get hasSession(): boolean {
    return this.accessToken !== undefined || sessionStorage.getItem(STORAGE_KEY) !== null;
  }

  /** Throws HeparProblem; the previous session then goes on. */
  async signIn(email: string, password: string, otp: string): Promise<void> {
    const device = localStorage.getItem(DEVICES_KEY);
    const form = { grant_type: "password", username: email, password, ...(otp ? { otp } : {}), ...(device ? { device } : {}) };
    const token = dataOrThrow(await requestToken(form));
    this.signOut();
    this.store(token);
    if (token.device) rememberDevice(token.device);
  }

  /** Concurrent callers share one renewal. Undefined if the session has ended. */
  renew(): Promise<string | undefined> {
    if (this.renewal === undefined) {
      const renewal = this.requestRenewal().finally(() => {
        if (this.renewal === renewal) this.renewal = undefined;
      });
      this.renewal = renewal;
    }
    return this.renewal;
  }

  /** Discards the tokens at once and revokes the session in the background. */
  signOut(): void {
    const refreshToken = sessionStorage.getItem(STORAGE_KEY);
    this.forget();
    if (refreshToken !== null) void revoke(refreshToken);
  }

  private async requestRenewal(): Promise<string | undefined> {
    const refreshToken = sessionStorage.getItem(STORAGE_KEY);
    if (refreshToken === null) return undefined;
    const generation = this.generation;
    const result = await requestToken({ grant_type: "refresh_token", refresh_token: refreshToken });
    if (generation !== this.generation) {
      if (result.data?.refresh_token) void revoke(result.data.refresh_token);
      return undefined;
    }
    // RFC 6749: `invalid_grant` has status 400.
    if (result.response.status === 400) {
      this.forget();
      this.onSessionEnd();
      return undefined;
    }
    this.store(dataOrThrow(result));
    return this.accessToken;
  }

  private store(token: Schemas["AccessToken"]): void {
    this.accessToken = token.access_token;
    if (token.refresh_token) sessionStorage.setItem(STORAGE_KEY, token.refresh_token);
  }

  private forget(): void {
    this.generation += 1;
    this.renewal = undefined;
    this.accessToken = undefined;
    sessionStorage.removeItem(STORAGE_KEY);
  }
}

function rememberDevice(device: string): void {
  const known = (localStorage.getItem(DEVICES_KEY) ?? "").split(" ").filter((other) => other !== "" && other !== device);
  localStorage.setItem(DEVICES_KEY, [device, ...known].slice(0, DEVICES_MAX).join(" "));
}

function urlEncoded(form: unknown): URLSearchParams {
  return new URLSearchParams(form as Record<string, string>);
}

function requestToken(form: Record<string, string>) {
  return anonymous.POST("/v1/token", { body: form as never, bodySerializer: urlEncoded, headers: HEADERS });
}

/** A failure is ignored: the token expires by itself, and the user has already left. */
async function revoke(token: string): Promise<void> {
  await anonymous.POST("/v1/token/revoke", { body: { token }, bodySerializer: urlEncoded, headers: HEADERS }).catch(() => undefined);
}
