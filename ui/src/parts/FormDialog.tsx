import { Button, Group, Modal, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import { text } from "../text/en";

/** A dialog with a form. */
export function FormDialog({
  title,
  submit,
  pending,
  children,
  onSubmit,
  onClose,
  size = "md",
}: {
  title: string;
  submit: string;
  pending: boolean;
  children: ReactNode;
  onSubmit: () => void;
  onClose: () => void;
  size?: string;
}) {
  return (
    <Modal
      opened
      onClose={onClose}
      title={title}
      size={size}
      // A click beside it must not lose what was typed.
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": text.action.close }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit();
        }}
      >
        <Stack gap="sm">
          {children}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {text.action.cancel}
            </Button>
            <Button type="submit" loading={pending}>
              {submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
