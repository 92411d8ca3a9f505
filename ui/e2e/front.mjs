// Serves `dist` and hands everything else on to a node, for a node in which the interface is not built in.
import { existsSync, readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const OF_NODE = /^\/(api|readyz|livez|metrics)(\/|$|\?)/;

/** Starts it on a free port. */
export async function front(origin) {
  if (!existsSync(join(DIST, "index.html"))) throw new Error("there is no ui/dist: run `npm run build`");
  const server = createServer((asked, answer) => {
    if (OF_NODE.test(asked.url)) return handOn(origin, asked, answer);
    const path = normalize(decodeURIComponent(new URL(asked.url, origin).pathname));
    const name = extname(path) === "" ? "/index.html" : path;
    const file = join(DIST, name);
    if (!existsSync(file)) return answer.writeHead(404).end();
    answer.writeHead(200, { "Content-Type": TYPES[extname(name)] ?? "application/octet-stream" });
    answer.end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}

function handOn(origin, asked, answer) {
  const options = { method: asked.method, headers: asked.headers };
  const onward = request(new URL(asked.url, origin), options, (given) => {
    answer.writeHead(given.statusCode, given.headers);
    given.pipe(answer);
  });
  onward.on("error", () => answer.headersSent || answer.writeHead(502).end());
  answer.on("close", () => onward.destroy());
  asked.pipe(onward);
}
