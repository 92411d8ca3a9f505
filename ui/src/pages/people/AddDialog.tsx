import { NativeSelect, PasswordInput, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { addPerson, ROLES, type Role } from "../../api/people";
import { Failure } from "../../parts/Failure";
import { FormDialog } from "../../parts/FormDialog";
import { peopleText } from "../../text/people";

/** Adds a person. */
export function AddDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient();
  const [username, setUsername] = useState("");
  const [fullName, setFullName] = useState("");
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("Viewer");
  const [password, setPassword] = useState("");
  const add = useMutation({
    mutationFn: () => addPerson({ username, full_name: fullName, email, role, password }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["users"] });
      notifications.show({ message: peopleText.done.added(username), color: "teal" });
      onClose();
    },
  });
  const { form } = peopleText;
  return (
    <FormDialog
      title={peopleText.add}
      submit={peopleText.addSubmit}
      pending={add.isPending}
      onSubmit={() => add.mutate()}
      onClose={onClose}
    >
      <TextInput
        label={form.username}
        description={form.usernameHint}
        required
        maxLength={64}
        pattern="[a-z0-9._@\-]+"
        title={form.usernameHint}
        autoComplete="off"
        data-autofocus
        value={username}
        onChange={(event) => setUsername(event.currentTarget.value)}
      />
      <PasswordInput
        label={form.password}
        description={form.passwordHint}
        required
        minLength={12}
        maxLength={256}
        autoComplete="new-password"
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      <NativeSelect
        label={form.role}
        data={[...ROLES]}
        value={role}
        onChange={(event) => setRole(event.currentTarget.value as Role)}
      />
      <TextInput
        label={form.fullName}
        maxLength={200}
        autoComplete="off"
        value={fullName}
        onChange={(event) => setFullName(event.currentTarget.value)}
      />
      <TextInput
        label={form.email}
        maxLength={200}
        autoComplete="off"
        value={email}
        onChange={(event) => setEmail(event.currentTarget.value)}
      />
      {add.error && <Failure error={add.error} />}
    </FormDialog>
  );
}
