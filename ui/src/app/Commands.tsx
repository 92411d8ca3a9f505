import "@mantine/spotlight/styles.css";

import { createSpotlight, Spotlight, type SpotlightActionGroupData } from "@mantine/spotlight";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch, IconUser } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { foundQuery } from "../api/found";
import { commandText } from "../text/dashboard";
import { text } from "../text/en";
import { PAGES } from "./pages";
import { useMay } from "./session";

const [store, spotlight] = createSpotlight();

/** Opens the bar, wherever the page is. */
export const openCommands = spotlight.open;

/** The command bar: finds pages, workflows, sources and sinks. */
export function Commands() {
  const { history } = useRouter();
  const may = useMay();
  const [typed, setTyped] = useState("");
  const [asked] = useDebouncedValue(typed.trim(), 150);
  const { data: found } = useQuery(foundQuery(asked));
  const groups: SpotlightActionGroupData[] = [
    {
      group: commandText.groups.pages,
      actions: [
        ...PAGES.filter((page) => may(page.needs)).map(({ to, label, icon: Icon }) => ({
          id: to,
          label,
          leftSection: <Icon size={18} stroke={1.6} aria-hidden />,
          onClick: () => history.push(to),
        })),
        {
          id: "/profile",
          label: text.nav.profile,
          leftSection: <IconUser size={18} stroke={1.6} aria-hidden />,
          onClick: () => history.push("/profile"),
        },
      ],
    },
    ...(["workflows", "sources", "sinks"] as const).map((kind) => ({
      group: commandText.groups[kind],
      actions: (found?.[kind] ?? []).map(({ id, name }) => ({
        id: `/${kind}/${id}`,
        label: name === undefined || name === id ? id : `${name} (${id})`,
        onClick: () => history.push(`/${kind}/${encodeURIComponent(id)}`),
      })),
    })),
  ].filter((group) => group.actions.length > 0);
  return (
    <Spotlight
      store={store}
      actions={groups}
      query={typed}
      onQueryChange={setTyped}
      nothingFound={commandText.nothing}
      shortcut={null}
      scrollable
      maxHeight={420}
      searchProps={{
        leftSection: <IconSearch size={18} aria-hidden />,
        placeholder: commandText.placeholder,
        "aria-label": commandText.placeholder,
      }}
    />
  );
}
