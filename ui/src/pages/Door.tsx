import { Center, Paper, Stack, Title } from "@mantine/core";
import { useEffect, type ReactNode } from "react";
import { Brand } from "../app/Brand";
import { text } from "../text/en";

/** A page for those who are not logged in: one small form. */
export function Door({ title, children }: { title: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · ${text.product}`;
  }, [title]);
  return (
    <Center component="main" mih="100vh" p="md">
      <Paper withBorder p="xl" w="100%" maw={400}>
        <Stack gap="md">
          <Brand />
          <Title order={1} size="h2">
            {title}
          </Title>
          {children}
        </Stack>
      </Paper>
    </Center>
  );
}
