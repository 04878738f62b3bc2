/** A program as files, and the commands that build, test and run it. Its name is `doorbell`. */
export interface Template {
  /** The texts of the files by their paths. */
  readonly files: Readonly<Record<string, string>>;
  /** Shell commands: fetch the packages, run the tests and build, start the program. */
  readonly install: string;
  readonly run: string;
  readonly start: string;
}
