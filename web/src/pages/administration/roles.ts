import type { Account } from "../../api.ts";

/** With the fewest rights first. */
export const ROLES = ["clinician", "researcher", "integrator", "administrator"] as const satisfies readonly Account["role"][];
