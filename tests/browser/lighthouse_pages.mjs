// Lighthouse on pages: node lighthouse_pages.mjs GATEWAY CHROMIUM EMAIL PASSWORD PATH...
// Paths before `--` are opened by a visitor, those after it by the account.
import { measure } from "./lighthouse_flow.mjs";

const [gateway, executablePath, email, password, ...paths] = process.argv.slice(2);

await measure(executablePath, async (page, flow) => {
  for (const path of paths) {
    if (path === "--") await signIn(page);
    else await flow.navigate(`${gateway}${path}`, { name: path });
  }
});

async function signIn(page) {
  await page.goto(`${gateway}/sign-in`);
  await page.type("input[type=email]", email);
  await page.type("input[type=password]", password);
  await page.click("main form button");
  await page.waitForSelector("input[type=file]");
}
