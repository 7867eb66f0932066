// Lighthouse on the home page, the upload page and a result: node lighthouse.mjs GATEWAY CHROMIUM IMAGE [REPORT.html]
// Prints one JSON line per page: {"page": ..., "scores": {"performance": 0..100, ...}, "failed": [audits below 1]}.
import { writeFileSync } from "node:fs";
import { desktopConfig, startFlow } from "lighthouse";
import { launch } from "puppeteer-core";

const [gateway, executablePath, image, report] = process.argv.slice(2);
const CATEGORIES = ["performance", "accessibility", "best-practices"];
const TIMESPAN_CATEGORIES = ["performance", "best-practices"];
const SNAPSHOT_CATEGORIES = ["accessibility", "best-practices"];

const browser = await launch({ executablePath, args: ["--no-sandbox", "--window-size=1350,940"] });
try {
  const page = await browser.newPage();
  const flags = { onlyCategories: CATEGORIES, disableStorageReset: true };
  const flow = await startFlow(page, { config: desktopConfig, flags, name: "Hepar" });
  await flow.navigate(`${gateway}/`, { name: "home" });

  await page.goto(`${gateway}/sign-up`);
  await page.type("input[type=email]", `${crypto.randomUUID()}@example.org`);
  await page.type("input[type=password]", "a long enough password");
  await page.click("main form button");
  await page.waitForSelector("input[type=file]");
  await flow.navigate(`${gateway}/upload`, { name: "upload" });

  await page.waitForSelector("input[type=file]");
  await (await page.$("input[type=file]")).uploadFile(image);
  await page.waitForSelector(".tools .primary:not(:disabled)");
  await page.click(".tools .primary");
  await page.waitForSelector("a[href^='/results/']", { timeout: 60_000 });
  // A result exists only in its tab and cannot be loaded by address: opening it is a timespan, the open page a snapshot.
  await flow.startTimespan({ name: "result, opening", onlyCategories: TIMESPAN_CATEGORIES });
  await page.click("a[href^='/results/']");
  await page.waitForSelector(".verdict");
  await page.waitForSelector("canvas");
  await flow.endTimespan();
  await flow.snapshot({ name: "result", onlyCategories: SNAPSHOT_CATEGORIES });

  const { steps } = await flow.createFlowResult();
  for (const { name, lhr } of steps) {
    const scores = {};
    for (const category of CATEGORIES) {
      const score = lhr.categories[category]?.score ?? null;
      if (score !== null) scores[category] = Math.round(score * 100);
    }
    const failed = Object.values(lhr.audits)
      .filter((audit) => audit.score !== null && audit.score < 1 && audit.scoreDisplayMode !== "informative")
      .map((audit) => `${audit.id}: ${audit.score}`);
    console.log(JSON.stringify({ page: name, mode: lhr.gatherMode, scores, failed }));
  }
  if (report) writeFileSync(report, await flow.generateReport());
} finally {
  await browser.close();
}
