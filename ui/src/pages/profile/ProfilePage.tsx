import { Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { setCsrf } from "../../api/client";
import { logOutEverywhere } from "../../api/people";
import { closeStream } from "../../app/live";
import { useMe } from "../../app/session";
import { Confirm } from "../../parts/Confirm";
import { Facts } from "../../parts/Facts";
import { Page } from "../../parts/Page";
import { profileText } from "../../text/people";
import { PasswordForm } from "./PasswordForm";
import { Tokens } from "./Tokens";

/** One's own account. */
export function ProfilePage() {
  const me = useMe();
  const words = profileText.me;
  return (
    <Page title={profileText.title}>
      <Section title={words.title} hint={profileText.roleNote}>
        <Facts
          facts={[
            [words.username, me.username],
            [words.fullName, me.full_name || "–"],
            [words.role, me.role],
          ]}
        />
      </Section>
      <Section title={profileText.password.title} hint={profileText.password.hint}>
        <PasswordForm />
      </Section>
      <Section title={profileText.sessions.title} hint={profileText.sessions.hint}>
        <Everywhere />
      </Section>
      <Tokens />
    </Page>
  );
}

function Section({ title, hint, children }: { title: string; hint: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Stack gap="sm">
        <Title order={2}>{title}</Title>
        {children}
        <Text size="sm" c="dimmed" maw={640}>
          {hint}
        </Text>
      </Stack>
    </Paper>
  );
}

function Everywhere() {
  const [asked, ask] = useDisclosure(false);
  const client = useQueryClient();
  const navigate = useNavigate();
  const words = profileText.sessions;
  const out = useMutation({
    mutationFn: logOutEverywhere,
    onSuccess: async () => {
      closeStream();
      setCsrf("");
      client.clear();
      await navigate({ to: "/login" });
    },
  });
  return (
    <Group>
      <Button variant="default" onClick={ask.open}>
        {words.submit}
      </Button>
      {asked && (
        <Confirm
          danger
          title={words.confirmTitle}
          submit={words.submit}
          pending={out.isPending}
          error={out.error}
          onConfirm={() => out.mutate()}
          onClose={ask.close}
        >
          {words.confirm}
        </Confirm>
      )}
    </Group>
  );
}
