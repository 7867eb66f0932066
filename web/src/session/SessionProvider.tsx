/** The signed-in account, the API client and the upload queue that belongs to the account. */
import { createContext, use, useEffect, useMemo, useState, type ReactNode } from "react";
import { createHepar, dataOrThrow, type Account, type HeparClient, type TokenSource } from "../api.ts";
import { UploadQueue } from "../queue/UploadQueue.ts";
import { StudySender } from "../studies/StudySender.ts";
import { Tokens } from "./tokens.ts";

export type SignOutReason = "userSignedOut" | "passwordChanged" | "sessionEnded";

export interface Session {
  hepar: HeparClient;
  /** For requests that the client cannot send. */
  tokens: TokenSource;
  queue: UploadQueue;
  sender: StudySender;
  /** undefined until it is known, null if nobody is signed in. */
  account: Account | null | undefined;
  /** Why nobody is signed in; undefined for a visitor who never was. */
  signOutReason: SignOutReason | undefined;
  signIn(email: string, password: string, otp: string): Promise<void>;
  signOut(reason: SignOutReason): void;
  reloadAccount(): Promise<void>;
}

type State = Pick<Session, "account" | "signOutReason">;

const VISITOR: State = { account: null, signOutReason: undefined };

const Context = createContext<Session | null>(null);

export function SessionProvider({ children }: { children: ReactNode }) {
  const [state, setState] = useState<State>({ account: undefined, signOutReason: undefined });
  const [manager] = useState(() => new SessionManager(setState));
  useEffect(() => {
    void manager.restore();
  }, [manager]);
  const session = useMemo<Session>(
    () => ({
      ...state,
      hepar: manager.hepar,
      tokens: manager.tokens,
      queue: manager.queue,
      sender: manager.sender,
      signIn: (email, password, otp) => manager.signIn(email, password, otp),
      signOut: (reason) => manager.signOut(reason),
      reloadAccount: () => manager.reloadAccount(),
    }),
    [state, manager],
  );
  return <Context value={session}>{children}</Context>;
}

export function useSession(): Session {
  const session = use(Context);
  if (session === null) throw new Error("useSession needs a SessionProvider above it");
  return session;
}

/** Images and results never outlive the session of the user who chose them. */
class SessionManager {
  readonly tokens = new Tokens(() => this.onSessionEnd());
  readonly hepar = createHepar("", this.tokens);
  readonly queue = new UploadQueue(this.tokens);
  readonly sender = new StudySender(this.tokens);
  private queueOwnerId: string | undefined;
  private signOutCount = 0;

  constructor(private readonly setState: (state: State) => void) {}

  async restore(): Promise<void> {
    if (!this.tokens.hasSession) {
      this.setState(VISITOR);
      return;
    }
    try {
      if ((await this.tokens.renew()) !== undefined) await this.reloadAccount();
    } catch {
      this.setState(VISITOR);
    }
  }

  async signIn(email: string, password: string, otp: string): Promise<void> {
    // Nothing of the previous user may be sent with the token of the next one.
    this.queue.pause();
    try {
      await this.tokens.signIn(email, password, otp);
    } catch (error) {
      if (this.tokens.hasSession) this.queue.resume();
      throw error;
    }
    try {
      await this.reloadAccount();
    } catch (error) {
      this.signOut("userSignedOut");
      throw error;
    }
  }

  signOut(reason: SignOutReason): void {
    this.signOutCount += 1;
    this.forgetFiles();
    this.queueOwnerId = undefined;
    this.tokens.signOut();
    this.setState({ account: null, signOutReason: reason });
  }

  async reloadAccount(): Promise<void> {
    const { signOutCount } = this;
    const account = dataOrThrow(await this.hepar.GET("/v1/users/me"));
    if (signOutCount !== this.signOutCount) return;
    if (account.id !== this.queueOwnerId) this.forgetFiles();
    this.queueOwnerId = account.id;
    this.queue.resume();
    this.setState({ account, signOutReason: undefined });
  }

  private forgetFiles(): void {
    this.queue.clear();
    this.sender.clear();
  }

  private onSessionEnd(): void {
    this.queue.pause();
    this.setState({ account: null, signOutReason: "sessionEnded" });
  }
}
