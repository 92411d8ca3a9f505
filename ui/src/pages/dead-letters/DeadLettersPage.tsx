import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";
import { Page } from "../../parts/Page";
import { deadLetters as words } from "../../text/deadLetters";
import { Letters } from "./Letters";
import { OpenLetter } from "./OpenLetter";
import type { LetterSearch } from "./search";
import { Workflows, WorkflowSelect } from "./Workflows";

/** Changes the address, from which everything that the page shows follows. */
export type Go = (change: (before: LetterSearch) => LetterSearch) => void;

/** Messages that could not be delivered: by workflow, by cause, one by one. */
export function DeadLettersPage() {
  const search = useSearch({ from: "/inside/dead-letters" });
  const navigate = useNavigate();
  const go = useCallback<Go>((search) => void navigate({ to: "/dead-letters", search }), [navigate]);
  const { workflow } = search;
  if (workflow === undefined)
    return (
      <Page title={words.title}>
        <Workflows />
      </Page>
    );
  return (
    <Page title={words.title} actions={<WorkflowSelect chosen={workflow} go={go} />}>
      <Letters key={workflow} workflow={workflow} search={search} go={go} />
      <OpenLetter workflow={workflow} open={search.open} go={go} />
    </Page>
  );
}
