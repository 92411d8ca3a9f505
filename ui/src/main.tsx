import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./app/app.css";

import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { asProblem } from "./api/problem";
import { makeRouter } from "./app/router";
import { meQuery } from "./app/session";
import { theme } from "./app/theme";

/** A session that has ended is noticed wherever it is: the page asks to log in again, and comes back. */
function onFailure(error: unknown): void {
  if (asProblem(error).status !== 401) return;
  const { pathname, href } = router.state.location;
  if (pathname === "/login" || pathname === "/setup") return;
  client.setQueryData(meQuery.queryKey, null);
  void router.navigate({ to: "/login", search: { to: href, expired: true } });
}

const client = new QueryClient({
  queryCache: new QueryCache({ onError: onFailure }),
  mutationCache: new MutationCache({ onError: onFailure }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // A refusal stays one; a node that is away comes back.
      retry: (count, error) => asProblem(error).isUnreachable && count < 2,
      refetchOnWindowFocus: true,
    },
  },
});
const router = makeRouter(client);

const place = document.getElementById("root");
if (!place) throw new Error("the page has no place for the application");
createRoot(place).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <Notifications position="bottom-right" />
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
