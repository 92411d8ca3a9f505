import { expect, test } from "vitest";
import { peopleSearch } from "./search";

/** Every member is named: the router would keep what was given of one that is not. */
const nothing = { page: undefined, search: undefined, open: undefined, who: undefined };

test("the address of the people page is read, and nonsense in it is left out", () => {
  expect(peopleSearch({ page: 2, search: "ann", open: "change", who: "bob" })).toEqual({
    page: 2,
    search: "ann",
    open: "change",
    who: "bob",
  });
  expect(peopleSearch({ page: -1, search: "", open: "explode", who: "bob" })).toStrictEqual(nothing);
  expect(peopleSearch({ open: "remove" })).toStrictEqual(nothing);
  expect(peopleSearch({ open: "add", search: 12 })).toEqual({ open: "add", search: "12" });
});
