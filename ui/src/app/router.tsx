import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { auditSearch } from "../pages/audit/search";
import { clusterSearch } from "../pages/cluster/search";
import { letterSearch } from "../pages/dead-letters/search";
import { logSearch } from "../pages/logs/search";
import { readListSearch } from "../forms/list-search";
import { readWorkflowSearch } from "../pages/workflow/search";
import { Failure } from "../parts/Failure";
import { Loading } from "../parts/Loaded";
import { peopleSearch } from "../pages/people/search";
import { settingsSearch } from "../pages/settings/search";
import { meQuery, setupQuery } from "./session";
import { Shell } from "./Shell";

interface Context {
  client: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ component: Outlet });

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

const setup = createRoute({
  getParentRoute: () => root,
  path: "/setup",
  component: lazyRouteComponent(() => import("../pages/setup/SetupPage"), "SetupPage"),
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search): { to?: string | undefined; expired?: true | undefined } => {
    const to = text(search["to"]);
    return {
      // Only a path of ours: whoever logs in must not be sent elsewhere. Named even when absent, or the router keeps it.
      to: to?.startsWith("/") && !to.startsWith("//") ? to : undefined,
      expired: search["expired"] ? true : undefined,
    };
  },
  component: lazyRouteComponent(() => import("../pages/login/LoginPage"), "LoginPage"),
});

/** Everything behind it is for those who are logged in. */
const inside = createRoute({
  getParentRoute: () => root,
  id: "inside",
  component: Shell,
  beforeLoad: async ({ context: { client }, location }) => {
    const me = await client.query({ ...meQuery, staleTime: "static" });
    if (me) return;
    const { needed } = await client.query(setupQuery);
    if (needed) throw redirect({ to: "/setup" });
    throw redirect({ to: "/login", search: { to: location.href } });
  },
});

const dashboard = createRoute({
  getParentRoute: () => inside,
  path: "/",
  component: lazyRouteComponent(() => import("../pages/dashboard/DashboardPage"), "DashboardPage"),
});

const deadLetters = createRoute({
  getParentRoute: () => inside,
  path: "/dead-letters",
  validateSearch: letterSearch,
  component: lazyRouteComponent(() => import("../pages/dead-letters/DeadLettersPage"), "DeadLettersPage"),
});

const logs = createRoute({
  getParentRoute: () => inside,
  path: "/logs",
  validateSearch: logSearch,
  component: lazyRouteComponent(() => import("../pages/logs/LogsPage"), "LogsPage"),
});

const cluster = createRoute({
  getParentRoute: () => inside,
  path: "/cluster",
  validateSearch: clusterSearch,
  component: lazyRouteComponent(() => import("../pages/cluster/ClusterPage"), "ClusterPage"),
});

const audit = createRoute({
  getParentRoute: () => inside,
  path: "/audit",
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import("../pages/audit/AuditPage"), "AuditPage"),
});

const people = createRoute({
  getParentRoute: () => inside,
  path: "/people",
  validateSearch: peopleSearch,
  component: lazyRouteComponent(() => import("../pages/people/PeoplePage"), "PeoplePage"),
});

const profile = createRoute({
  getParentRoute: () => inside,
  path: "/profile",
  validateSearch: (search): { tokens?: "all" | undefined } => ({
    tokens: search["tokens"] === "all" ? "all" : undefined,
  }),
  component: lazyRouteComponent(() => import("../pages/profile/ProfilePage"), "ProfilePage"),
});

const settings = createRoute({
  getParentRoute: () => inside,
  path: "/settings",
  validateSearch: settingsSearch,
  component: lazyRouteComponent(() => import("../pages/settings/SettingsPage"), "SettingsPage"),
});

const workflows = createRoute({
  getParentRoute: () => inside,
  path: "/workflows",
  validateSearch: readListSearch,
  component: lazyRouteComponent(() => import("../pages/workflows/WorkflowsPage"), "WorkflowsPage"),
});

const workflowImport = createRoute({
  getParentRoute: () => inside,
  path: "/workflows/import",
  validateSearch: (search): { scratch?: true } => (search["scratch"] ? { scratch: true } : {}),
  component: lazyRouteComponent(() => import("../pages/workflows/ImportPage"), "ImportPage"),
});

const workflow = createRoute({
  getParentRoute: () => inside,
  path: "/workflows/$id",
  validateSearch: readWorkflowSearch,
  component: lazyRouteComponent(() => import("../pages/workflow/WorkflowPage"), "WorkflowPage"),
});

const connectionsRoute = <const Path extends "/sources" | "/sinks">(
  path: Path,
  name: "SourcesPage" | "SinksPage",
) =>
  createRoute({
    getParentRoute: () => inside,
    path,
    validateSearch: readListSearch,
    component: lazyRouteComponent(() => import("../pages/connections/sides"), name),
  });

// No id begins with `-`, so this hides none.
const newConnectionRoute = <const Path extends "/sources/-new" | "/sinks/-new">(
  path: Path,
  name: "NewSourcePage" | "NewSinkPage",
) =>
  createRoute({
    getParentRoute: () => inside,
    path,
    validateSearch: (search): { type?: string } => {
      const type = text(search["type"]);
      return type === undefined ? {} : { type };
    },
    component: lazyRouteComponent(() => import("../pages/connections/sides"), name),
  });

const connectionRoute = <const Path extends "/sources/$id" | "/sinks/$id">(
  path: Path,
  name: "SourcePage" | "SinkPage",
) =>
  createRoute({
    getParentRoute: () => inside,
    path,
    component: lazyRouteComponent(() => import("../pages/connections/sides"), name),
  });

const connections = [
  connectionsRoute("/sources", "SourcesPage"),
  newConnectionRoute("/sources/-new", "NewSourcePage"),
  connectionRoute("/sources/$id", "SourcePage"),
  connectionsRoute("/sinks", "SinksPage"),
  newConnectionRoute("/sinks/-new", "NewSinkPage"),
  connectionRoute("/sinks/$id", "SinkPage"),
] as const;

const tree = root.addChildren([
  setup,
  login,
  inside.addChildren([
    dashboard,
    workflows,
    workflowImport,
    workflow,
    ...connections,
    deadLetters,
    logs,
    cluster,
    audit,
    people,
    profile,
    settings,
  ]),
]);

/** Makes the router. */
export function makeRouter(client: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { client },
    defaultPreload: "intent",
    defaultPendingComponent: Loading,
    defaultErrorComponent: ({ error, reset }) => <Failure error={error} retry={reset} />,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
