// Writes every page, light and dark, 1440 and 390 wide, to a directory: `npm run screenshots -- DIRECTORY`.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { NARROW, THEMES, WIDE, addresses, launch, open, setUp, visitor } from "./browser.mjs";
import { furnish, WORKFLOWS } from "./furnish.mjs";
import { startNode } from "./node.mjs";

const [target] = process.argv.slice(2);
if (!target) {
  console.error("which directory? `npm run screenshots -- DIRECTORY`");
  process.exit(2);
}
mkdirSync(target, { recursive: true });
const node = await startNode({ workflows: WORKFLOWS });
const browser = await launch();

async function shoot(page, path, name) {
  for (const colorScheme of THEMES) {
    await page.emulateMedia({ colorScheme });
    for (const viewport of [WIDE, NARROW]) {
      await page.setViewportSize(viewport);
      if (!(await open(page, path))) return console.log(`${path}: there is no such page`);
      // A rate takes some seconds to be known.
      await page.waitForTimeout(1_500);
      const file = `${name}-${colorScheme}-${viewport.width}.png`;
      await page.screenshot({ path: join(target, file), fullPage: true });
    }
  }
}

try {
  const stranger = await visitor(browser, node);
  await shoot(stranger, "/setup", "setup");
  await shoot(stranger, "/login", "login");
  const page = await visitor(browser, node);
  await setUp(page, node);
  await furnish(page, node);
  for (const path of await addresses(page)) await shoot(page, path, path.slice(1) || "dashboard");
  await shoot(page, "/people?open=change&who=edda", "people-change");
  await shoot(page, "/settings?open=change&name=mail.password", "settings-secret");
} finally {
  await browser.close();
  await node.stop();
}
