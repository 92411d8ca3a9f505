import { Button, Tooltip, type ButtonProps } from "@mantine/core";
import type { ReactNode } from "react";
import { useMay } from "../app/session";
import { text } from "../text/en";

interface Props extends ButtonProps {
  /** The operation that the button stands for. */
  operation: string;
  /** The role that has it. */
  role: "Editor" | "Administrator";
  onClick: () => void;
  children: ReactNode;
}

/** A button for an operation: whoever may not use it is told which role may, before pressing it. */
export function RoleButton({ operation, role, onClick, children, ...rest }: Props) {
  const may = useMay()(operation);
  if (may)
    return (
      <Button {...rest} onClick={onClick}>
        {children}
      </Button>
    );
  return (
    <Tooltip label={text.state.needs(role)}>
      <Button {...rest} data-disabled aria-disabled onClick={(event) => event.preventDefault()}>
        {children}
      </Button>
    </Tooltip>
  );
}
