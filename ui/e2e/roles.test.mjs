// What each role finds in the navigation, and what it is told where it may not go.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addPerson, ask, launch, logIn, open, setUp, settled, visitor } from "./browser.mjs";
import { startNode } from "./node.mjs";

/** What has to be allowed for a page to be listed. Written here anew: a slip in the interface must not repeat itself. */
const NEEDED = {
  Dashboard: "listWorkflows",
  Workflows: "listWorkflows",
  Sources: "listSources",
  Sinks: "listSinks",
  "Dead letters": "listDeadLetters",
  Cluster: "getCluster",
  Logs: "listLogs",
  Audit: "listAudit",
  People: "listUsers",
  Settings: "listSettings",
};
const ADMINISTRATORS = ["Audit", "People", "Settings"];

let node, browser, admin;
before(async () => {
  node = await startNode();
  browser = await launch();
  admin = await visitor(browser, node);
  await setUp(admin, node);
  await addPerson(admin, "vera", "Viewer");
  await addPerson(admin, "edda", "Editor");
});
after(async () => {
  await browser?.close();
  await node?.stop();
});

async function loggedIn(name) {
  const page = await visitor(browser, node);
  await page.goto("/login");
  await logIn(page, name);
  await page.getByRole("heading", { name: "Dashboard", level: 1 }).waitFor();
  return page;
}

for (const [name, role] of [
  ["admin", "Administrator"],
  ["edda", "Editor"],
  ["vera", "Viewer"],
]) {
  test(`the navigation of the role ${role} is exactly what its capabilities allow`, async () => {
    const page = await loggedIn(name);
    const { capabilities } = await ask(page, "GET", "/api/me");
    const expected = Object.keys(NEEDED).filter((label) => capabilities.includes(NEEDED[label]));
    const shown = await page.getByRole("navigation").getByRole("link").allTextContents();
    assert.deepEqual(shown, expected);
    for (const label of ADMINISTRATORS) assert.equal(shown.includes(label), role === "Administrator", label);
    await page.context().close();
  });
}

test("who opens the address of a page that they may not see is told the role", async () => {
  const page = await loggedIn("vera");
  for (const path of ["/people", "/settings"]) {
    await open(page, path);
    await page.getByText("It needs the role Administrator.").waitFor();
  }
  await page.context().close();
});

test("every address of the navigation leads to a page", async () => {
  const links = admin.getByRole("navigation").getByRole("link");
  const found = await links.evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  const missing = [];
  for (const path of found) if (!(await open(admin, path))) missing.push(path);
  assert.deepEqual(missing, []);
});

test("a viewer is told on an empty dashboard who makes the first workflow", async () => {
  const page = await loggedIn("vera");
  await settled(page);
  await page.getByText("Somebody with the role Editor makes the first one.").waitFor();
  assert.equal(await page.getByRole("link", { name: "Make the first workflow" }).count(), 0);
  await page.context().close();
});
