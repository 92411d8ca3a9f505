import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, data, setCsrf } from "../../api/client";
import { meQuery, setupQuery } from "../../app/session";
import { Failure } from "../../parts/Failure";
import { text } from "../../text/en";
import { Door } from "../Door";

export function SetupPage() {
  // Behind the `#` it is sent to no server.
  const given = useLocation({ select: (location) => location.hash }) || undefined;
  const navigate = useNavigate();
  const client = useQueryClient();
  const [token, setToken] = useState("");
  const [username, setUsername] = useState("admin");
  const [password, setPassword] = useState("");
  const setUp = useMutation({
    mutationFn: () => data(api.POST("/api/setup", { body: { token: given ?? token, username, password } })),
    onSuccess: async (me) => {
      setCsrf(me.csrf_token);
      client.setQueryData(meQuery.queryKey, me);
      client.removeQueries({ queryKey: setupQuery.queryKey });
      await navigate({ to: "/" });
    },
  });
  return (
    <Door title={text.setup.title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setUp.mutate();
        }}
      >
        <Stack gap="sm">
          {given === undefined && (
            <TextInput
              label={text.setup.token}
              description={text.setup.tokenHint}
              autoComplete="off"
              required
              value={token}
              onChange={(event) => setToken(event.currentTarget.value.trim())}
            />
          )}
          <TextInput
            label={text.setup.name}
            name="username"
            autoComplete="username"
            required
            value={username}
            onChange={(event) => setUsername(event.currentTarget.value)}
          />
          <PasswordInput
            label={text.setup.password}
            description={text.setup.passwordHint}
            name="new-password"
            autoComplete="new-password"
            autoFocus
            required
            minLength={12}
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {setUp.error && <Failure error={setUp.error} />}
          <Button type="submit" loading={setUp.isPending}>
            {text.setup.submit}
          </Button>
        </Stack>
      </form>
    </Door>
  );
}
