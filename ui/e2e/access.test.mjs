// Every page that exists, light and dark, wide and narrow: nothing that axe finds, nothing wider than the window.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  NARROW,
  THEMES,
  WIDE,
  addresses,
  faults,
  launch,
  open,
  overflow,
  setUp,
  visitor,
} from "./browser.mjs";
import { furnish, WORKFLOWS } from "./furnish.mjs";
import { startNode } from "./node.mjs";

let node, browser, page, paths;
before(async () => {
  node = await startNode({ workflows: WORKFLOWS });
  browser = await launch();
  page = await visitor(browser, node);
  await setUp(page, node);
  await furnish(page, node);
  paths = await addresses(page);
});
after(async () => {
  await browser?.close();
  await node?.stop();
});

async function check(page, path, opened) {
  const wrong = [];
  for (const colorScheme of THEMES) {
    await page.emulateMedia({ colorScheme });
    for (const viewport of [WIDE, NARROW]) {
      await page.setViewportSize(viewport);
      if (!(await open(page, path))) return;
      await opened?.();
      const place = `${path} ${colorScheme} ${viewport.width}`;
      wrong.push(...(await faults(page)).map((fault) => `${place}: ${fault}`));
      const wide = await overflow(page);
      if (wide > 0) wrong.push(`${place}: ${wide} px wider than the window`);
    }
  }
  assert.deepEqual(wrong, []);
}

test("pages of those who are not logged in", async () => {
  const stranger = await visitor(browser, node);
  for (const path of ["/login", "/setup"]) await check(stranger, path);
  await stranger.context().close();
});

test("pages of the navigation and the profile", async (context) => {
  for (const path of paths) await context.test(path, () => check(page, path));
});

test("dialogs", async (context) => {
  const dialogs = [
    "/people?open=add",
    "/people?open=change&who=edda",
    "/people?open=password&who=edda",
    "/people?open=remove&who=edda",
    "/settings?open=add",
    "/settings?open=change&name=mail.password",
    "/settings?open=change&name=mail.server",
    "/settings?open=remove&name=mail.server",
  ];
  for (const path of dialogs) {
    await context.test(path, () => check(page, path, () => page.getByRole("dialog").waitFor()));
  }
  await context.test("the keys", () =>
    check(page, "/profile", async () => {
      await page.keyboard.press("Shift+?");
      await page.getByRole("dialog").waitFor();
    }),
  );
  await context.test("the command bar", () =>
    check(page, "/profile", async () => {
      await page.keyboard.press("Control+k");
      await page.getByRole("dialog").waitFor();
    }),
  );
});
