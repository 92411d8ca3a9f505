/** Words of the dialogs that ask before data is lost. */
export const confirmText = {
  type: (name: string) => `Type ${name} to go on`,
  mismatch: "This is not the name.",
};
