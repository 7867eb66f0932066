// Lighthouse on the home page, the upload page and a result: node lighthouse.mjs GATEWAY CHROMIUM IMAGE [REPORT.html]
import { writeFileSync } from "node:fs";
import { measure } from "./lighthouse_flow.mjs";

const [gateway, executablePath, image, report] = process.argv.slice(2);
const TIMESPAN_CATEGORIES = ["performance", "best-practices"];
const SNAPSHOT_CATEGORIES = ["accessibility", "best-practices"];

const html = await measure(executablePath, async (page, flow) => {
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
});
if (report) writeFileSync(report, html);
