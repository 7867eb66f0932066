/** What readers made of the findings, as it is drawn over an axial slice or at the models' boxes. */
import type { Finding } from "../../api.ts";
import type { Translator } from "../../i18n/translator.ts";
import type { OverlayBox } from "../../viewer/drawing.ts";

const OUTLINE_COLOUR = "#ffe66b";
const REJECTED_COLOUR = "#9aa7ae";

/** A box of the models with what readers said of its lesion; the box itself stays. */
export function judgedBox(translator: Translator, box: OverlayBox, finding: Finding | undefined): OverlayBox {
  if (finding?.status === "rejected") return { ...box, ...named(`${finding.id} ${translator.term("rejected")}`, box), colour: REJECTED_COLOUR };
  if (!finding?.changed.includes("label")) return box;
  const type = finding.label === null ? translator.text("undecided") : translator.term(finding.label);
  return { ...box, ...named(`${finding.id} ${type}`, box), label: finding.label ?? box.label };
}

/** Outlines of readers in one slice; those of rejected findings are left out. */
export function outlineBoxes(translator: Translator, findings: readonly Finding[], slice: number): OverlayBox[] {
  return findings
    .filter(({ status }) => status === "accepted")
    .flatMap(({ id, label, outlines }) =>
      outlines
        .filter(({ slice: at, polygon }) => at === slice && polygon.length > 0)
        .map(({ polygon }) => {
          const [xs, ys] = [polygon.map(([x]) => x), polygon.map(([, y]) => y)];
          return {
            x_min: Math.min(...xs),
            y_min: Math.min(...ys),
            x_max: Math.max(...xs),
            y_max: Math.max(...ys),
            label: label ?? "",
            outline: [[[...polygon, ...polygon.slice(0, 1)]]],
            caption: id,
            description: translator.text("outlineTitle", { id }),
            colour: OUTLINE_COLOUR,
          };
        }),
    );
}

function named(caption: string, { description }: OverlayBox): Pick<OverlayBox, "caption" | "description"> {
  return { caption, description: `${description} ${caption}` };
}
