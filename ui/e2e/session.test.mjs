// Setting up, logging in and out, and coming back to where one wanted to be.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PASSWORD, launch, logIn, setUp, settled, visitor } from "./browser.mjs";
import { startNode } from "./node.mjs";

let node, browser, page;
before(async () => {
  node = await startNode();
  browser = await launch();
  page = await visitor(browser, node);
});
after(async () => {
  await browser?.close();
  await node?.stop();
});

const path = () => new URL(page.url()).pathname + new URL(page.url()).search;

test("before there is an administrator every address leads to the setup", async () => {
  await page.goto("/");
  await page.getByRole("heading", { name: "Make the first administrator" }).waitFor();
  assert.equal(path(), "/setup");
});

test("the link that the node has printed makes the first administrator and shows the dashboard", async () => {
  await setUp(page, node);
  assert.equal(path(), "/");
});

test("the dashboard of an empty node leads to the first workflow", async () => {
  await settled(page);
  const link = page.getByRole("link", { name: "Make the first workflow" });
  assert.equal(await link.getAttribute("href"), "/workflows");
});

test("the link is good for once", async () => {
  const other = await visitor(browser, node);
  await other.goto(`/setup#${node.token}`);
  await other.getByLabel("Password", { exact: false }).first().fill(PASSWORD);
  await other.getByRole("button", { name: "Make administrator" }).click();
  await other.getByRole("alert").waitFor();
  await other.context().close();
});

test("who logs out is asked to log in, and comes back to the address that was wanted", async () => {
  await page.getByRole("button", { name: /^admin/ }).click();
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await page.goto("/people?search=adm");
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await logIn(page, "admin");
  await page.getByRole("heading", { name: "People", level: 1 }).waitFor();
  assert.equal(path(), "/people?search=adm");
});

test("a wrong password is refused on the page, without a word about which part was wrong", async () => {
  const other = await visitor(browser, node);
  await other.goto("/login");
  await logIn(other, "admin", "something else entirely");
  const said = await other.getByRole("alert").textContent();
  assert.match(said, /name and password do not fit/);
  await other.context().close();
});

test("an address of elsewhere is not gone to after the login", async () => {
  const other = await visitor(browser, node);
  await other.goto("/login?to=//example.org/");
  await logIn(other, "admin");
  await other.getByRole("heading", { name: "Dashboard", level: 1 }).waitFor();
  assert.equal(new URL(other.url()).origin, new URL(node.url).origin);
  await other.context().close();
});
