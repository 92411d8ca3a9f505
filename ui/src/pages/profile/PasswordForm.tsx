import { Button, PasswordInput, Stack } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { changePassword } from "../../api/people";
import { useMe } from "../../app/session";
import { Failure } from "../../parts/Failure";
import { profileText } from "../../text/people";

/** Changes one's own password. */
export function PasswordForm() {
  const me = useMe();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const words = profileText.password;
  const change = useMutation({
    mutationFn: () => changePassword({ current, new: next }),
    onSuccess: () => {
      setCurrent("");
      setNext("");
      notifications.show({ message: words.done, color: "teal" });
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        change.mutate();
      }}
    >
      <Stack gap="sm" maw={360}>
        {/* Password managers look here for whose password it is. */}
        <input type="hidden" name="username" autoComplete="username" value={me.username} />
        <PasswordInput
          label={words.current}
          autoComplete="current-password"
          required
          value={current}
          onChange={(event) => setCurrent(event.currentTarget.value)}
        />
        <PasswordInput
          label={words.next}
          description={words.nextHint}
          autoComplete="new-password"
          required
          minLength={12}
          maxLength={256}
          value={next}
          onChange={(event) => setNext(event.currentTarget.value)}
        />
        {change.error && <Failure error={change.error} />}
        <Button type="submit" variant="default" loading={change.isPending} style={{ alignSelf: "start" }}>
          {words.submit}
        </Button>
      </Stack>
    </form>
  );
}
