// One Lighthouse flow in a browser of its own. Prints one JSON line per step:
// {"page": ..., "mode": ..., "benchmark": of the processor, "scores": {"performance": 0..100, ...}, "failed": [audits below 1]}.
import { desktopConfig, startFlow } from "lighthouse";
import { launch } from "puppeteer-core";

const CATEGORIES = ["performance", "accessibility", "best-practices"];

/** steps: an async function of the page and the flow. Returns the report as HTML. */
export async function measure(executablePath, steps) {
  const browser = await launch({ executablePath, args: ["--no-sandbox", "--window-size=1350,940"] });
  try {
    const page = await browser.newPage();
    const flags = { onlyCategories: CATEGORIES, disableStorageReset: true };
    const flow = await startFlow(page, { config: desktopConfig, flags, name: "Hepar" });
    await steps(page, flow);
    for (const { name, lhr } of (await flow.createFlowResult()).steps) print(name, lhr);
    return await flow.generateReport();
  } finally {
    await browser.close();
  }
}

function print(name, lhr) {
  const scores = {};
  for (const category of CATEGORIES) {
    const score = lhr.categories[category]?.score ?? null;
    if (score !== null) scores[category] = Math.round(score * 100);
  }
  const failed = Object.values(lhr.audits)
    .filter((audit) => audit.score !== null && audit.score < 1 && audit.scoreDisplayMode !== "informative")
    .map((audit) => `${audit.id}: ${audit.score}`);
  const benchmark = lhr.environment.benchmarkIndex;
  console.log(JSON.stringify({ page: name, mode: lhr.gatherMode, benchmark, scores, failed }));
}
