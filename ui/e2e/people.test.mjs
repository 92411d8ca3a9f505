// People, one's own account, settings: through the pages, against the node.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PASSWORD, ask, launch, logIn, open, setUp, visitor } from "./browser.mjs";
import { startNode } from "./node.mjs";

let node, browser, page;
before(async () => {
  node = await startNode();
  browser = await launch();
  page = await visitor(browser, node);
  await setUp(page, node);
});
after(async () => {
  await browser?.close();
  await node?.stop();
});

const dialog = () => page.getByRole("dialog");

async function act(name, action) {
  await page.getByRole("button", { name: `Actions for ${name}` }).click();
  await page.getByRole("menuitem", { name: action }).click();
  await dialog().waitFor();
}

test("a person is added, and can log in", async () => {
  await open(page, "/people");
  await page.getByRole("button", { name: "Add a person" }).click();
  await dialog().getByLabel("User name").fill("ann");
  await dialog().getByRole("textbox", { name: "Password" }).fill(PASSWORD);
  await dialog().getByLabel("Role").selectOption("Editor");
  await dialog().getByRole("button", { name: "Add", exact: true }).click();
  await page.locator('[data-person="ann"]').waitFor();
  const other = await visitor(browser, node);
  await other.goto("/login");
  await logIn(other, "ann");
  await other.getByRole("heading", { name: "Dashboard", level: 1 }).waitFor();
  await other.context().close();
});

test("of two that change one person the second is told what the first has done, and nothing is lost (D2)", async () => {
  await open(page, "/people");
  await act("ann", "Change");
  const first = await ask(page, "GET", "/api/users/ann");
  await page.evaluate(async (etag) => {
    const me = await (await fetch("/api/me")).json();
    await fetch("/api/users/ann", {
      method: "PUT",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": me.csrf_token, "If-Match": etag },
      body: JSON.stringify({ role: "Viewer", full_name: "Ann Lee", email: "", disabled: false }),
    });
  }, first.etag);
  await dialog().getByLabel("Email").fill("ann@example.org");
  await dialog().getByRole("button", { name: "Save", exact: true }).click();
  await dialog().getByText("Somebody else has changed this meanwhile").waitFor();
  await dialog().getByRole("cell", { name: "Ann Lee" }).waitFor();
  assert.equal((await ask(page, "GET", "/api/users/ann")).full_name, "Ann Lee");
  await dialog().getByRole("button", { name: "Save mine over it" }).click();
  await dialog().waitFor({ state: "hidden" });
  const now = await ask(page, "GET", "/api/users/ann");
  assert.deepEqual([now.email, now.role], ["ann@example.org", "Editor"]);
});

test("removing asks with the focus on Cancel, and the last administrator stays", async () => {
  await open(page, "/people");
  await act("admin", "Remove");
  await page.waitForFunction(() => document.activeElement?.textContent === "Cancel");
  await dialog().getByRole("button", { name: "Remove" }).click();
  await dialog().getByText("last administrator").first().waitFor();
  await dialog().getByRole("button", { name: "Cancel" }).click();
  await act("ann", "Remove");
  await dialog().getByRole("button", { name: "Remove" }).click();
  await page.locator('[data-person="ann"]').waitFor({ state: "detached" });
});

test("an API token is shown once, works, and is refused after it was revoked", async () => {
  await open(page, "/profile");
  await page.getByRole("button", { name: "New token" }).click();
  await dialog().getByLabel("Name").fill("reports");
  await dialog().getByRole("button", { name: "Make token" }).click();
  const token = await dialog().getByLabel("Token").inputValue();
  assert.match(token, /^hmd_/);
  const headers = { Authorization: `Bearer ${token}` };
  assert.equal((await fetch(`${node.origin}/api/me`, { headers })).status, 200);
  await dialog().getByRole("button", { name: "I have copied it" }).click();
  await page.locator('[data-token="reports"]').waitFor();
  assert.equal((await page.content()).includes(token), false);
  await page.getByRole("button", { name: "Revoke reports" }).click();
  await dialog().getByRole("button", { name: "Revoke" }).click();
  await page.locator('[data-token="reports"]').waitFor({ state: "detached" });
  assert.equal((await fetch(`${node.origin}/api/me`, { headers })).status, 401);
});

test("a new password ends other sessions and keeps this one", async () => {
  const other = await visitor(browser, node);
  await other.goto("/login");
  await logIn(other, "admin");
  await other.getByRole("heading", { name: "Dashboard", level: 1 }).waitFor();
  await open(page, "/profile");
  await page.getByLabel("Present password").fill(PASSWORD);
  await page.getByLabel("New password").fill(`${PASSWORD} 2`);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByText("Your password is changed").waitFor();
  await other.reload();
  await other.getByRole("heading", { name: "Log in" }).waitFor();
  await other.context().close();
  assert.equal(await open(page, "/profile"), true);
  assert.equal(new URL(page.url()).pathname, "/profile");
});

test("a setting keeps all digits of its number, and a secret is never shown (D12, D13)", async () => {
  await open(page, "/settings?open=add");
  await dialog().getByLabel("Name").fill("limit.most");
  await dialog().getByText("JSON", { exact: true }).click();
  await dialog().getByLabel("Value", { exact: true }).fill("9007199254740993");
  await dialog().getByRole("button", { name: "Save" }).click();
  await page.locator('[data-setting="limit.most"]', { hasText: "9007199254740993" }).waitFor();
  await open(page, "/settings?open=add");
  await dialog().getByLabel("Name").fill("mail.password");
  await dialog().getByLabel("Value", { exact: true }).fill("swordfish-42");
  await dialog().getByRole("button", { name: "Save" }).click();
  await page.locator('[data-setting="mail.password"]', { hasText: "secret, set" }).waitFor();
  await page.reload();
  await page.getByRole("button", { name: "Replace mail.password" }).click();
  await dialog().getByText("The present one is never shown").waitFor();
  assert.equal((await page.content()).includes("swordfish-42"), false);
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().getByText("The new value is missing").waitFor();
});

test("Ctrl+K finds a page, and Enter goes there", async () => {
  await open(page, "/profile");
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type("peop");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "People", level: 1 }).waitFor();
});
