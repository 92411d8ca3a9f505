import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a node. */
const node = process.env["HERMOD_SERVER"] ?? "http://127.0.0.1:8080";

/** Packs everything beside itself, so that the node has nothing to compress while it serves. */
function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    closeBundle() {
      const files = readdirSync("dist", { recursive: true, withFileTypes: true });
      for (const file of files.filter((each) => each.isFile() && !each.name.endsWith(".gz"))) {
        const path = `${file.parentPath}/${file.name}`;
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), packed()],
  server: { proxy: { "/api": node, "/readyz": node } },
  build: { assetsInlineLimit: 0, reportCompressedSize: false, chunkSizeWarningLimit: 900 },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"], restoreMocks: true },
});
