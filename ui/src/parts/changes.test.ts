import { expect, test } from "vitest";
import { changesOf } from "./changes";

test("what a colleague has saved under an open edit is named, value by value (D2)", () => {
  const began = { role: "Viewer", email: "a@example.org", disabled: false };
  const theirs = { ...began, role: "Editor", disabled: true };
  const changes = changesOf(began, theirs, [
    ["Role", (each) => each.role],
    ["Email", (each) => each.email],
    ["May not log in", (each) => (each.disabled ? "yes" : "no")],
  ]);
  expect(changes).toEqual([
    { what: "Role", was: "Viewer", is: "Editor" },
    { what: "May not log in", was: "no", is: "yes" },
  ]);
});
