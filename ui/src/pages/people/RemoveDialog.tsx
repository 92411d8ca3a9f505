import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { personQuery, removePerson, tokensQuery } from "../../api/people";
import { plural } from "../../format/numbers";
import { Confirm } from "../../parts/Confirm";
import { peopleText } from "../../text/people";

/** Removes a person, after saying what goes with them. */
export function RemoveDialog({ who, onClose }: { who: string; onClose: () => void }) {
  const client = useQueryClient();
  const person = useQuery(personQuery(who));
  const tokens = useQuery(tokensQuery);
  const remove = useMutation({
    mutationFn: async () => {
      const { etag } = person.data ?? (await client.query(personQuery(who)));
      await removePerson(who, etag);
    },
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["users"] });
      await client.invalidateQueries({ queryKey: tokensQuery.queryKey });
      notifications.show({ message: peopleText.done.removed(who), color: "teal" });
      onClose();
    },
    onError: () => void person.refetch(),
  });
  const theirs = tokens.data?.data.filter((token) => token.user === who).length;
  return (
    <Confirm
      danger
      title={peopleText.removeTitle(who)}
      submit={peopleText.remove}
      pending={remove.isPending}
      error={remove.error ?? person.error}
      onConfirm={() => remove.mutate()}
      onClose={onClose}
    >
      {peopleText.removeHint(theirs === undefined ? peopleText.tokensUnknown : plural(theirs, "API token"))}
    </Confirm>
  );
}
