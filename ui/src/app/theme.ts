import { createTheme } from "@mantine/core";
import { text } from "../text/en";

/** Figures stand below each other. */
export const theme = createTheme({
  primaryColor: "teal",
  // The shade on which white text has the contrast that WCAG AA asks for.
  primaryShade: 9,
  autoContrast: true,
  defaultRadius: "sm",
  cursorType: "pointer",
  fontFamily:
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", "DejaVu Sans", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, SFMono-Regular, Menlo, "Liberation Mono", "DejaVu Sans Mono", monospace',
  headings: { fontWeight: "600", sizes: { h1: { fontSize: "1.45rem" }, h2: { fontSize: "1.15rem" } } },
  components: {
    Button: { defaultProps: { size: "sm" } },
    Notification: { defaultProps: { closeButtonProps: { "aria-label": text.action.close } } },
    Tooltip: { defaultProps: { withArrow: true, events: { hover: true, focus: true, touch: true } } },
  },
});
