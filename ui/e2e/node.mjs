// A node of its own for a test: started in an empty directory, on a free port, ended with the test.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { front } from "./front.mjs";

const LINK = /http:\/\/([^\s/]+)\/setup#(\S+)/;

/** So long a node may take to say that it is there. */
const START_MS = 30_000;

/** Whether the node serves the interface itself, because it was built in. */
async function servesPages(origin) {
  const page = await (await fetch(`${origin}/`)).text();
  return page.includes('id="root"');
}

/**
 * Starts the node that `HERMOD_BIN` names. `workflows` are documents by file name.
 *
 * Where its pages are: with `E2E_URL` there (a development server that hands `/api` on to the node, which then listens
 * on `E2E_PORT`); at the node itself, if the interface is built in; else a small server in front of it serves `dist`.
 */
export async function startNode({ workflows = {} } = {}) {
  const binary = process.env.HERMOD_BIN;
  if (!binary) throw new Error("HERMOD_BIN has to name the hermod binary to test against");
  const directory = mkdtempSync(join(tmpdir(), "hermod-e2e-"));
  mkdirSync(join(directory, "workflows"));
  for (const [name, content] of Object.entries(workflows)) {
    if (content.startsWith("/")) cpSync(content, join(directory, "workflows", name));
    else writeFileSync(join(directory, "workflows", name), content);
  }
  const port = process.env.E2E_URL ? (process.env.E2E_PORT ?? "8080") : "0";
  const options = ["--mode=standalone", `--port=${port}`, "--grpc-port=off", "--workflows=workflows"];
  const node = spawn(binary, options, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  const ended = new Promise((resolve) => node.once("exit", resolve));
  const link = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the node printed no setup link:\n${said}`)), START_MS);
    node.once("error", reject);
    node.once("exit", () => reject(new Error(`the node has ended:\n${said}`)));
    node.stderr.on("data", (part) => {
      said += part;
      const found = LINK.exec(said);
      if (!found) return;
      clearTimeout(timer);
      resolve(found);
    });
  }).catch((error) => {
    node.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
    throw error;
  });
  const origin = `http://${link[1]}`;
  const isBuiltIn = await servesPages(origin);
  const before = process.env.E2E_URL || isBuiltIn ? undefined : await front(origin);
  return {
    origin,
    /** Where the pages are. */
    url: process.env.E2E_URL ?? before?.url ?? origin,
    token: link[2],
    directory,
    log: () => said,
    async stop() {
      before?.close();
      node.kill("SIGTERM");
      const timer = setTimeout(() => node.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(timer);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
