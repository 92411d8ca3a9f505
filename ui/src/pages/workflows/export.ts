import { useMutation } from "@tanstack/react-query";
import { exportBundle } from "../../api/workflows";

/** Hands a workflow's bundle over as a file. */
export function useExport(id: string) {
  return useMutation({
    mutationFn: async () => {
      const url = URL.createObjectURL(new Blob([await exportBundle(id)], { type: "application/json" }));
      const link = document.createElement("a");
      link.href = url;
      link.download = `${id}.json`;
      link.click();
      URL.revokeObjectURL(url);
    },
  });
}
