import { MantineProvider } from "@mantine/core";
import { cleanup, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { Confirm } from "./Confirm";

beforeAll(() => {
  window.matchMedia = (query) =>
    ({
      matches: false,
      media: query,
      addEventListener: () => undefined,
      removeEventListener: () => undefined,
    }) as unknown as MediaQueryList;
});
afterEach(cleanup);

function shown(over: { typed?: string; blocked?: boolean } = {}) {
  const onConfirm = vi.fn();
  render(
    <MantineProvider env="test">
      <Confirm
        title="Remove orders"
        submit="Remove"
        onConfirm={onConfirm}
        onClose={() => undefined}
        {...over}
      >
        71 messages are lost.
      </Confirm>
    </MantineProvider>,
  );
  return onConfirm;
}

test("Enter obeys what has to be typed, and says so (C, nf-tower#256)", async () => {
  const onConfirm = shown({ typed: "orders" });
  const name = screen.getByLabelText("Type orders to go on");
  await userEvent.type(name, "order{Enter}");
  expect(onConfirm).not.toHaveBeenCalled();
  expect(screen.getByText("This is not the name.")).toBeTruthy();
  await userEvent.type(name, "s{Enter}");
  expect(onConfirm).toHaveBeenCalledOnce();
});

test("what cannot be any more is not done", async () => {
  const onConfirm = shown({ blocked: true });
  await userEvent.click(screen.getByRole("button", { name: "Remove" }));
  expect(onConfirm).not.toHaveBeenCalled();
});

test("Cancel is where the focus goes", () => {
  shown();
  expect(screen.getByRole("button", { name: "Cancel" }).hasAttribute("data-autofocus")).toBe(true);
});
