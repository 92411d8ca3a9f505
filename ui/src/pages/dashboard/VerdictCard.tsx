import { Anchor, Card, Group, Stack, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Judged } from "../../app/verdicts";
import { count, rate } from "../../format/numbers";
import { StandingBadge } from "../../status/StandingBadge";
import { waitingMessages } from "../../status/states";
import { dashboardText } from "../../text/dashboard";
import { statusOf } from "./order";
import classes from "./VerdictCard.module.css";

/** One workflow: a sentence about it, and what moves and waits. */
export function VerdictCard(judged: Judged) {
  const { workflow, pulse, verdict } = judged;
  const status = statusOf(judged);
  const lagging = status?.sinks.filter((sink) => sink.lagging).map((sink) => sink.id) ?? [];
  const words = dashboardText.figures;
  const dead = status?.dead_letters;
  return (
    <Card withBorder p="sm" data-workflow={workflow.id} data-standing={verdict.standing}>
      <div className={classes["card"]}>
        <Stack gap={4} className={classes["words"] ?? ""}>
          <Group gap="xs">
            <StandingBadge standing={verdict.standing} />
            <Anchor
              component={Link}
              to="/workflows/$id"
              params={{ id: workflow.id } as never}
              fw={600}
              className={classes["name"] ?? ""}
            >
              {workflow.id}
            </Anchor>
          </Group>
          {verdict.detail && (
            <Text size="sm" className={classes["name"] ?? ""}>
              {verdict.detail}
            </Text>
          )}
          {lagging.length > 0 && <Text size="sm">{dashboardText.lagging(lagging.join(", "))}</Text>}
        </Stack>
        <dl className={classes["figures"]}>
          <Figure name={words.in}>{rate(pulse?.inRate)}</Figure>
          <Figure name={words.out}>{rate(slowest(pulse?.outRates))}</Figure>
          <Figure name={words.waiting}>{count(status ? waitingMessages(status) : null)}</Figure>
          <Figure name={words.dead}>
            {dead == null || dead === 0 ? (
              count(dead)
            ) : (
              <Anchor component={Link} to="/dead-letters" search={{ workflow: workflow.id } as never} inherit>
                {dashboardText.deadLetters(count(dead))}
              </Anchor>
            )}
          </Figure>
        </dl>
      </div>
    </Card>
  );
}

/** What the slowest sink takes: everything else is ahead of it. */
function slowest(rates: Readonly<Record<string, number>> | undefined): number | undefined {
  const known = Object.values(rates ?? {});
  return known.length === 0 ? undefined : Math.min(...known);
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <Text component="dt" size="xs" c="dimmed">
        {name}
      </Text>
      <Text component="dd" size="sm" m={0}>
        {children}
      </Text>
    </div>
  );
}
