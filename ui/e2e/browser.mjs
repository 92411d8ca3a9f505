// The browser, and what all tests do with it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

export const PASSWORD = "correct horse battery";
export const WIDE = { width: 1440, height: 900 };
export const NARROW = { width: 390, height: 844 };
export const THEMES = ["light", "dark"];

/** Debian's, unless `CHROMIUM` names another. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  });
}

/** A browser that nobody is logged in with. */
export async function visitor(browser, node, { viewport = WIDE, colorScheme = "light" } = {}) {
  const context = await browser.newContext({
    baseURL: node.url,
    viewport,
    colorScheme,
    reducedMotion: "reduce",
    locale: "en-US",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  return page;
}

/** Makes the first administrator, as the link that the node has printed says. */
export async function setUp(page, node) {
  await page.goto(`/setup#${node.token}`);
  await page.getByLabel("Password", { exact: false }).first().fill(PASSWORD);
  await page.getByRole("button", { name: "Make administrator" }).click();
  await page.getByRole("heading", { name: "Dashboard", level: 1 }).waitFor();
}

/** Logs in on the page that asks for it. */
export async function logIn(page, name, password = PASSWORD) {
  await page.getByLabel("User name").fill(name);
  await page.locator('input[name="password"]').fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

/** Asks the node in the name of whoever is logged in. */
export async function ask(page, method, path, body) {
  return page.evaluate(
    async ([method, path, body]) => {
      const me = await (await fetch("/api/me")).json();
      const headers = { "Content-Type": "application/json", "X-CSRF-Token": me.csrf_token };
      if (path.startsWith("/api/settings/")) headers["If-Match"] = '"0"';
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const answer = await fetch(path, init);
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text === "" ? undefined : JSON.parse(text);
    },
    [method, path, body],
  );
}

/** Adds a person. */
export function addPerson(page, username, role) {
  return ask(page, "POST", "/api/users", { username, password: PASSWORD, role, full_name: "", email: "" });
}

/** Opens a page and waits until it shows what it is about; says whether there is such a page. */
export async function open(page, path) {
  await page.goto(path);
  await settled(page);
  return (await page.locator("h1").count()) > 0;
}

/** Waits until nothing is loading any more. */
export async function settled(page) {
  await page.locator("h1, :text-is('Not Found')").first().waitFor();
  await page.waitForFunction(() => !document.querySelector("[aria-busy=true]"));
  await page.waitForTimeout(250);
}

/** Addresses of the navigation, and of what it does not list. */
export async function addresses(page) {
  const links = page.getByRole("navigation").getByRole("link");
  const found = await links.evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  return [...found, "/profile"];
}

/** Everything that axe finds wrong, one line each. */
export async function faults(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(
    (rules) => window.axe.run(document, { runOnly: rules, resultTypes: ["violations"] }),
    RULES,
  );
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary.split("\n").at(1)?.trim()}`),
  );
}

/** By how many pixels the page is wider than its window. */
export function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}
