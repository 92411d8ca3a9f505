import { Alert } from "@mantine/core";
import { IconLock } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { useMay } from "../app/session";
import { text } from "../text/en";

/** Shows what is inside to those who may use the operation, and says to all others which role it needs. */
export function Needs({
  operation,
  role,
  children,
}: {
  operation: string;
  role: string;
  children: ReactNode;
}) {
  const may = useMay();
  if (may(operation)) return children;
  return (
    <Alert color="gray" icon={<IconLock />} title={text.state.denied}>
      {text.state.deniedHint(role)}
    </Alert>
  );
}
