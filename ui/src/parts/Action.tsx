import { Button, Menu, Tooltip, type ButtonProps } from "@mantine/core";
import type { ReactNode } from "react";
import { useMay } from "../app/session";
import { text } from "../text/en";

interface Action {
  /** The operation without which it is of no use. */
  readonly operation: string;
  /** The least role that has the operation. */
  readonly role?: string;
  readonly onClick: () => void;
  readonly children: ReactNode;
}

/** A button for an operation. Whoever may not use it reads which role it needs, and can still reach it by keyboard. */
export function ActionButton({
  operation,
  role = "Editor",
  onClick,
  children,
  ...props
}: Action & ButtonProps & { "aria-label"?: string }) {
  const may = useMay()(operation);
  if (may) {
    return (
      <Button {...props} onClick={onClick}>
        {children}
      </Button>
    );
  }
  return (
    <Tooltip label={text.state.needs(role)}>
      <Button {...props} data-disabled aria-disabled onClick={(event) => event.preventDefault()}>
        {children}
      </Button>
    </Tooltip>
  );
}

/** The same in a menu. */
export function ActionItem({
  operation,
  role = "Editor",
  onClick,
  children,
  ...props
}: Action & { color?: string; leftSection?: ReactNode }) {
  const may = useMay()(operation);
  return (
    <Menu.Item
      {...props}
      {...(may ? { onClick } : { "data-disabled": true, "aria-disabled": true, closeMenuOnClick: false })}
    >
      {children}
      {!may && ` (${text.state.needs(role)})`}
    </Menu.Item>
  );
}
