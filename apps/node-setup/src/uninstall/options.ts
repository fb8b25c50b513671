/** All paths as the host says them. */
export interface UninstallOptions {
  readonly hostRoot: string;
  readonly binDir: string;
  readonly stateDir: string;
  readonly dryRun: boolean;
  /** Also while pods have their network from us. */
  readonly force: boolean;
  readonly output: 'text' | 'json';
  readonly confDir: string;
  /** The file that the node agent writes. */
  readonly confName: string;
  readonly subnetFile: string;
  readonly dataDir: string;
  readonly cacheDir: string;
}
