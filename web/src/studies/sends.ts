import type { Send } from "../api.ts";

/** Those that need somebody first. */
export const SEND_STATUSES = ["failed", "waiting", "sent"] as const satisfies readonly Send["status"][];
