/** A command line that cannot be obeyed. Shown with the command's usage and where its help is. */
export class UsageFault extends Error {
  /** 125 for flags, 1 for arguments, as Docker has it. */
  readonly code: number;
  readonly showUsage: boolean;
  /** "See … for more information" instead of "Run …": Docker's words where an argument is missing. */
  readonly see: boolean;

  constructor(message: string, options: { code?: number; showUsage?: boolean; see?: boolean } = {}) {
    super(message);
    this.name = 'UsageFault';
    this.code = options.code ?? 125;
    this.showUsage = options.showUsage ?? true;
    this.see = options.see ?? false;
  }
}

/** Ends the command with an exit code, and a text on stderr if there is one. */
export class Exit extends Error {
  readonly code: number;

  constructor(code: number, message = '') {
    super(message);
    this.name = 'Exit';
    this.code = code;
  }
}
