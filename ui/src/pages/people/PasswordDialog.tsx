import { PasswordInput, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { resetPassword } from "../../api/people";
import { Failure } from "../../parts/Failure";
import { FormDialog } from "../../parts/FormDialog";
import { peopleText } from "../../text/people";

/** Gives somebody a new password, and says what ends with it. */
export function PasswordDialog({ who, onClose }: { who: string; onClose: () => void }) {
  const [password, setPassword] = useState("");
  const reset = useMutation({
    mutationFn: () => resetPassword(who, password),
    onSuccess: () => {
      notifications.show({ message: peopleText.done.reset(who), color: "teal" });
      onClose();
    },
  });
  return (
    <FormDialog
      title={peopleText.resetTitle(who)}
      submit={peopleText.resetSubmit}
      pending={reset.isPending}
      onSubmit={() => reset.mutate()}
      onClose={onClose}
    >
      <Text size="sm">{peopleText.resetHint}</Text>
      <PasswordInput
        label={peopleText.form.password}
        description={peopleText.form.passwordHint}
        required
        minLength={12}
        maxLength={256}
        autoComplete="new-password"
        data-autofocus
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      {reset.error && <Failure error={reset.error} />}
    </FormDialog>
  );
}
