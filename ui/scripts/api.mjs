// Makes the types of the API from `openapi.json`, which a test of the node keeps current. With `--check`, says whether
// they are.
import { readFileSync, writeFileSync } from "node:fs";
import openapi, { astToString } from "openapi-typescript";

const target = new URL("../src/api/schema.d.ts", import.meta.url);
const made = astToString(
  await openapi(new URL("../openapi.json", import.meta.url), { defaultNonNullable: false }),
);
if (!process.argv.includes("--check")) {
  writeFileSync(target, made);
} else if (readFileSync(target, "utf8") !== made) {
  console.error("src/api/schema.d.ts is not what openapi.json says: run `npm run api`");
  process.exit(1);
}
