import { expect, test } from "vitest";
import { rolesUpTo } from "./people";

test("nobody is offered a token that may more than they may (D21)", () => {
  expect(rolesUpTo("Viewer")).toEqual(["Viewer"]);
  expect(rolesUpTo("Editor")).toEqual(["Viewer", "Editor"]);
  expect(rolesUpTo("Administrator")).toEqual(["Viewer", "Editor", "Administrator"]);
});
