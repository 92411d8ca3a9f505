import {
  IconAffiliate,
  IconDatabaseImport,
  IconFileText,
  IconGauge,
  IconHistory,
  IconMailOff,
  IconRoute,
  IconSettings,
  IconUpload,
  IconUsers,
} from "@tabler/icons-react";
import { text } from "../text/en";

/** Pages of the navigation, each with the operation without which there is nothing to see. */
export const PAGES = [
  { to: "/", label: text.nav.dashboard, icon: IconGauge, needs: "listWorkflows" },
  { to: "/workflows", label: text.nav.workflows, icon: IconRoute, needs: "listWorkflows" },
  { to: "/sources", label: text.nav.sources, icon: IconDatabaseImport, needs: "listSources" },
  { to: "/sinks", label: text.nav.sinks, icon: IconUpload, needs: "listSinks" },
  { to: "/dead-letters", label: text.nav.deadLetters, icon: IconMailOff, needs: "listDeadLetters" },
  { to: "/cluster", label: text.nav.cluster, icon: IconAffiliate, needs: "getCluster" },
  { to: "/logs", label: text.nav.logs, icon: IconFileText, needs: "listLogs" },
  { to: "/audit", label: text.nav.audit, icon: IconHistory, needs: "listAudit" },
  { to: "/people", label: text.nav.users, icon: IconUsers, needs: "listUsers" },
  { to: "/settings", label: text.nav.settings, icon: IconSettings, needs: "listSettings" },
] as const;
