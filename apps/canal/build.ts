/**
 * Builds dist/canal. `bun apps/canal/build.ts [--outfile PATH] [--runtime FILE --target bun-linux-arm64] [--metafile
 * PATH]`; the tests build variants through `buildCanal`. The same sources and runtime give the same bytes, whatever the directory.
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import manifest from './package.json' with { type: 'json' };

const ROOT = resolve(import.meta.dirname, '../..');

export interface BuildOptions {
  readonly outfile: string;
  /**
   * What a compiled Bun program does by default: run what bunfig.toml and .env of the current directory say. As root
   * that is somebody else's code. True only in the test that shows what the switches keep out.
   */
  readonly autoloadFromCurrentDirectory?: boolean;
  /** Another runtime to compile in than the one that runs this: that of another processor. Its version must be the same. */
  readonly runtime?: { readonly executable: string; readonly target: Bun.Build.CompileTarget };
}

/** npm puts the same version into several workspaces, and each copy would be 0.6 MB of the binary. */
const ONE_YAML: Bun.BunPlugin = {
  name: 'one-yaml',
  setup: (build) => {
    build.onResolve({ filter: /^yaml$/ }, () => ({ path: Bun.resolveSync('yaml', ROOT) }));
  },
};

/** Compiles the binary and returns its metadata (which module went into which chunk). Throws when a module is missing. */
export async function buildCanal(options: BuildOptions): Promise<Bun.BuildMetafile> {
  const autoload = options.autoloadFromCurrentDirectory ?? false;
  const outfile = resolve(options.outfile);
  // Written beside and renamed: a running binary cannot be written over, and nobody may start half a file. In a directory
  // of its own and not under another name, because the name is compiled in.
  const temporary = join(dirname(outfile), `.build-${process.pid}`);
  mkdirSync(temporary, { recursive: true });
  try {
    const output = await Bun.build({
      entrypoints: [join(ROOT, 'apps/canal/src/main.ts')],
      target: 'bun',
      format: 'esm',
      // A chunk per program: without it the plugin's start pays for the parsing of every other program.
      splitting: true,
      // Measured on VERSION: 6.0 ms without, 4.9 ms with.
      bytecode: true,
      minify: true,
      // 2 MB for stack traces that name files and lines; read only when one is printed.
      sourcemap: 'inline',
      metafile: true,
      // 3 MB of the binary: fastify requires them for schemas that are not zod's, and for requests of tests.
      external: ['@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler', 'light-my-request'],
      plugins: [ONE_YAML],
      define: { CANAL_VERSION: JSON.stringify(manifest.version) },
      compile: {
        outfile: join(temporary, 'canal'),
        ...(options.runtime && { executablePath: options.runtime.executable, target: options.runtime.target }),
        // The plugin has ended before optimised code would pay for its compilation: 1 ms of 9. Daemons set it back to 1.
        jitPolicy: 100,
        autoloadBunfig: autoload,
        autoloadDotenv: autoload,
        autoloadTsconfig: false,
        autoloadPackageJson: false,
      },
    });
    if (output.metafile === undefined) throw new Error('the bundler gave no metafile');
    renameSync(join(temporary, 'canal'), outfile);
    return output.metafile;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      outfile: { type: 'string', default: join(ROOT, 'dist/canal') },
      runtime: { type: 'string' },
      target: { type: 'string' },
      metafile: { type: 'string' },
    },
  });
  const { outfile, runtime, target, metafile } = values;
  if ((runtime === undefined) !== (target === undefined)) throw new Error('--runtime and --target go together');
  const record = await buildCanal({
    outfile,
    ...(runtime !== undefined && { runtime: { executable: runtime, target: target as Bun.Build.CompileTarget } }),
  });
  // Which sources and packages are inside.
  if (metafile !== undefined) writeFileSync(metafile, JSON.stringify(record));
}
