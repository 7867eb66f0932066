/** The findings of a study as readers left them last: the cards change them, the viewer draws them. */
import type { Finding } from "../api.ts";
import { Subscribers } from "./Subscribers.ts";

export class ReadFindings {
  readonly changed = new Subscribers();
  private findings: readonly Finding[] = [];

  readonly all = (): readonly Finding[] => this.findings;

  set(findings: readonly Finding[]): void {
    this.findings = findings;
    this.changed.tell();
  }
}
