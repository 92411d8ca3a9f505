import { Alert, Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, data, setCsrf } from "../../api/client";
import { meQuery } from "../../app/session";
import { Failure } from "../../parts/Failure";
import { text } from "../../text/en";
import { Door } from "../Door";

export function LoginPage() {
  const { to, expired } = useSearch({ from: "/login" });
  const router = useRouter();
  const client = useQueryClient();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const login = useMutation({
    mutationFn: () => data(api.POST("/api/login", { body: { username, password } })),
    onSuccess: (me) => {
      setCsrf(me.csrf_token);
      client.setQueryData(meQuery.queryKey, me);
      router.history.push(to ?? "/");
    },
  });
  return (
    <Door title={text.login.title}>
      {expired && !login.error && <Alert color="yellow">{text.login.expired}</Alert>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          login.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label={text.login.name}
            name="username"
            autoComplete="username"
            autoFocus
            required
            value={username}
            onChange={(event) => setUsername(event.currentTarget.value)}
          />
          <PasswordInput
            label={text.login.password}
            name="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {login.error && <Failure error={login.error} />}
          <Button type="submit" loading={login.isPending}>
            {text.login.submit}
          </Button>
        </Stack>
      </form>
    </Door>
  );
}
