// Lighthouse on pages: node lighthouse_pages.mjs GATEWAY CHROMIUM EMAIL PASSWORD PATH...
// Paths before `--` are opened by a visitor, those after it by the account.
// Prints one JSON line per page: {"page": ..., "scores": {"performance": 0..100, ...}, "failed": [audits below 1]}.
import { desktopConfig, startFlow } from "lighthouse";
import { launch } from "puppeteer-core";

const [gateway, executablePath, email, password, ...paths] = process.argv.slice(2);
const CATEGORIES = ["performance", "accessibility", "best-practices"];

const browser = await launch({ executablePath, args: ["--no-sandbox", "--window-size=1350,940"] });
try {
  const page = await browser.newPage();
  const flags = { onlyCategories: CATEGORIES, disableStorageReset: true };
  const flow = await startFlow(page, { config: desktopConfig, flags, name: "Hepar" });
  for (const path of paths) {
    if (path === "--") await signIn(page);
    else await flow.navigate(`${gateway}${path}`, { name: path });
  }
  const { steps } = await flow.createFlowResult();
  for (const { name, lhr } of steps) {
    const scores = Object.fromEntries(CATEGORIES.map((category) => [category, Math.round((lhr.categories[category]?.score ?? 0) * 100)]));
    const failed = Object.values(lhr.audits)
      .filter((audit) => audit.score !== null && audit.score < 1 && audit.scoreDisplayMode !== "informative")
      .map((audit) => `${audit.id}: ${audit.score}`);
    console.log(JSON.stringify({ page: name, scores, failed }));
  }
} finally {
  await browser.close();
}

async function signIn(page) {
  await page.goto(`${gateway}/sign-in`);
  await page.type("input[type=email]", email);
  await page.type("input[type=password]", password);
  await page.click("main form button");
  await page.waitForSelector("input[type=file]");
}
