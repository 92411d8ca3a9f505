import { Button, Group, Modal, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { Failure } from "../parts/Failure";
import { text } from "../text/en";

/** Asks before something is done: what it is, what follows from it. The focus is on what does nothing. */
export function ConfirmDialog({
  title,
  children,
  confirm,
  danger = false,
  blocked = false,
  pending,
  error,
  onConfirm,
  onClose,
  size = "md",
}: {
  title: string;
  children: ReactNode;
  confirm: string;
  danger?: boolean;
  /** What was asked for cannot be any more; the dialog says why. */
  blocked?: boolean;
  pending: boolean;
  error?: unknown;
  onConfirm: () => void;
  onClose: () => void;
  size?: string;
}) {
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      size={size}
      closeButtonProps={{ "aria-label": text.action.close }}
    >
      <Stack gap="md">
        {children}
        {error != null && <Failure error={error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" data-autofocus onClick={onClose}>
            {text.action.cancel}
          </Button>
          <Button
            disabled={blocked}
            {...(danger ? { color: "red" } : {})}
            loading={pending}
            onClick={onConfirm}
          >
            {confirm}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
