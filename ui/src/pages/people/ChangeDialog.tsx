import { Alert, Checkbox, Modal, NativeSelect, TextInput } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { changePerson, personQuery, ROLES, type Person, type Role } from "../../api/people";
import { asProblem } from "../../api/problem";
import { meQuery, useMe } from "../../app/session";
import { changesOf } from "../../parts/changes";
import { Conflict } from "../../parts/Conflict";
import { Failure } from "../../parts/Failure";
import { FormDialog } from "../../parts/FormDialog";
import { Loaded } from "../../parts/Loaded";
import { text } from "../../text/en";
import { peopleText } from "../../text/people";

const { form } = peopleText;

const FIELDS = [
  [form.role, (person: Person) => person.role],
  [form.fullName, (person: Person) => person.full_name],
  [form.email, (person: Person) => person.email],
  [form.disabled, (person: Person) => (person.disabled ? "yes" : "no")],
] as const;

/** Changes what a person is called and may do, based on the version that was read when it was opened. */
export function ChangeDialog({ who, onClose }: { who: string; onClose: () => void }) {
  const query = useQuery(personQuery(who));
  if (query.data) return <ChangeForm person={query.data.document} onClose={onClose} />;
  return (
    <Modal
      opened
      onClose={onClose}
      title={peopleText.changeTitle(who)}
      closeButtonProps={{ "aria-label": text.action.close }}
    >
      <Loaded query={query}>{() => null}</Loaded>
    </Modal>
  );
}

function ChangeForm({ person, onClose }: { person: Person; onClose: () => void }) {
  const client = useQueryClient();
  const me = useMe();
  const [began, setBegan] = useState(person);
  const [mine, setMine] = useState(person);
  const [theirs, setTheirs] = useState<Person>();
  const save = useMutation({
    mutationFn: (etag: string) =>
      changePerson(mine.username, etag, {
        role: mine.role,
        full_name: mine.full_name,
        email: mine.email,
        disabled: mine.disabled,
      }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["users"] });
      if (mine.username === me.username) await client.invalidateQueries({ queryKey: meQuery.queryKey });
      notifications.show({ message: peopleText.done.changed(mine.username), color: "teal" });
      onClose();
    },
    onError: async (error) => {
      if (!asProblem(error).isConflict) return;
      setTheirs((await client.query(personQuery(mine.username))).document);
    },
  });
  const change = (part: Partial<Person>) => setMine((before) => ({ ...before, ...part }));
  const take = () => {
    if (!theirs) return;
    setBegan(theirs);
    setMine(theirs);
    setTheirs(undefined);
    save.reset();
  };
  return (
    <FormDialog
      title={peopleText.changeTitle(person.username)}
      submit={text.action.save}
      pending={save.isPending}
      onSubmit={() => save.mutate(began.etag)}
      onClose={onClose}
    >
      {mine.username === me.username && <Alert color="yellow">{form.self}</Alert>}
      <NativeSelect
        label={form.role}
        data={[...ROLES]}
        data-autofocus
        value={mine.role}
        onChange={(event) => change({ role: event.currentTarget.value as Role })}
      />
      <TextInput
        label={form.fullName}
        maxLength={200}
        autoComplete="off"
        value={mine.full_name}
        onChange={(event) => change({ full_name: event.currentTarget.value })}
      />
      <TextInput
        label={form.email}
        maxLength={200}
        autoComplete="off"
        value={mine.email}
        onChange={(event) => change({ email: event.currentTarget.value })}
      />
      <Checkbox
        label={form.disabled}
        description={form.disabledHint}
        checked={mine.disabled}
        onChange={(event) => change({ disabled: event.currentTarget.checked })}
      />
      {theirs ? (
        <Conflict
          changes={changesOf(began, theirs, FIELDS)}
          pending={save.isPending}
          onKeep={() => save.mutate(theirs.etag)}
          onTake={take}
        />
      ) : (
        save.error && <Failure error={save.error} />
      )}
    </FormDialog>
  );
}
