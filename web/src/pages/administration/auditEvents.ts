import type { AuditEvent } from "../../api.ts";

/** All of them, in the order of the filter. */
export const AUDIT_EVENTS = [
  "signed_in", "sign_in_refused", "signed_out", "sessions_ended", "refresh_token_reused", "token_revoked",
  "invited", "invitation_sent", "signed_up", "address_verification_requested", "address_verified", "approved", "deactivated", "reactivated", "deleted",
  "role_changed", "group_changed", "profile_changed",
  "password_changed", "password_reset_requested", "password_reset", "confirmation_refused",
  "second_factor_begun", "second_factor_confirmed", "second_factor_removed", "second_factor_reset",
  "recovery_code_used", "recovery_codes_renewed",
  "client_registered", "client_deactivated", "client_secret_added", "client_secret_removed",
  "key_rotated", "audit_exported",
] as const satisfies readonly AuditEvent[];

type Missing = Exclude<AuditEvent, (typeof AUDIT_EVENTS)[number]>;
/** Compiles only while no event is missing. */
export const NO_EVENT_IS_MISSING: [Missing] extends [never] ? true : Missing = true;
