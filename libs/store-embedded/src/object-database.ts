import { Database, type Statement } from 'bun:sqlite';

/**
 * Objects and their recent changes in SQLite. Every write takes the next version of one counter, in one transaction with
 * its entry in the change log; the log is what watches replay and what old list snapshots are rebuilt from.
 * Everything here is synchronous: one process owns the file, and a write takes tens of microseconds.
 */
export interface StoredObject {
  readonly namespace: string;
  readonly name: string;
  readonly version: number;
  /** JSON text, with `metadata.resourceVersion` equal to `version`. */
  readonly body: string;
}

export interface Change {
  readonly version: number;
  /** `group/plural`. */
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  /** JSON after the change; of a deletion, the last state with the deletion's version. */
  readonly body: string;
  /** JSON before it; undefined when the object was created. */
  readonly previous: string | undefined;
  readonly deleted: boolean;
}

export interface ListRange {
  readonly resource: string;
  /** Undefined: all namespaces. */
  readonly namespace?: string;
  /** Snapshot to read; the current one by default. Must not lie below `compactedVersion`. */
  readonly atVersion?: number;
  /** Only objects after this one. */
  readonly after?: { readonly namespace: string; readonly name: string };
}

/** How much of the log is kept for watches that resume and lists that continue. */
export interface HistoryWindow {
  /** Newest changes that are kept; older ones are compacted away. */
  readonly maxChanges: number;
  /** Above this size of the log, its older half is compacted away. */
  readonly maxBytes: number;
}

export class ObjectDatabase {
  readonly #db: Database;
  readonly #window: HistoryWindow;
  readonly #statements: Statements;
  readonly #listeners = new Set<(change: Change) => void>();
  #version: number;
  #compacted: number;
  /** Size of what the log holds, in characters. */
  #logSize: number;

  /** `path` is a file, or `:memory:`. */
  constructor(path: string, window: HistoryWindow) {
    this.#db = new Database(path, { create: true, strict: true });
    this.#db.run('PRAGMA journal_mode = WAL');
    this.#db.run('PRAGMA synchronous = NORMAL');
    for (const table of TABLES) this.#db.run(table);
    this.#window = window;
    this.#statements = prepare(this.#db);
    this.#version = this.#counter('version');
    this.#compacted = this.#counter('compacted');
    this.#logSize = this.#statements.logSize.get()?.total ?? 0;
  }

  /** Version of the latest write. */
  get version(): number {
    return this.#version;
  }

  /** Versions below this can be neither watched from nor listed. */
  get compactedVersion(): number {
    return this.#compacted;
  }

  get(resource: string, namespace: string, name: string): StoredObject | undefined {
    return this.#statements.get.get(resource, namespace, name) ?? undefined;
  }

  /** Objects of the range by namespace and name. The iteration must end before the next write. */
  list(range: ListRange): Iterable<StoredObject> {
    const { resource, namespace = null, after } = range;
    const cursor = [after?.namespace ?? '', after?.name ?? ''] as const;
    if (range.atVersion === undefined || range.atVersion >= this.#version) {
      return this.#statements.list.iterate(resource, namespace, ...cursor);
    }
    return this.#statements.listAt.iterate(resource, range.atVersion, namespace, ...cursor);
  }

  /** Resources that have objects in a namespace. */
  resourcesIn(namespace: string): readonly string[] {
    return this.#statements.resourcesIn.all(namespace).map((row) => row.resource);
  }

  /** How many objects `list` would give. */
  count(range: ListRange): number {
    const { resource, namespace = null, after } = range;
    const cursor = [after?.namespace ?? '', after?.name ?? ''] as const;
    const row =
      range.atVersion === undefined || range.atVersion >= this.#version
        ? this.#statements.count.get(resource, namespace, ...cursor)
        : this.#statements.countAt.get(resource, range.atVersion, namespace, ...cursor);
    return row?.total ?? 0;
  }

  /** Writes one object; `render` gets the version that the write takes. */
  put(resource: string, namespace: string, name: string, render: (version: number) => string): StoredObject {
    const previous = this.get(resource, namespace, name)?.body;
    const version = this.#version + 1;
    const body = render(version);
    this.#commit({ version, resource, namespace, name, body, previous, deleted: false }, () => {
      this.#statements.put.run(resource, namespace, name, version, body);
    });
    return { namespace, name, version, body };
  }

  /** Removes one object; `render` gives its last state with the deletion's version. */
  delete(resource: string, namespace: string, name: string, render: (version: number) => string): void {
    const previous = this.get(resource, namespace, name)?.body;
    if (previous === undefined) return;
    const version = this.#version + 1;
    this.#commit({ version, resource, namespace, name, body: render(version), previous, deleted: true }, () => {
      this.#statements.delete.run(resource, namespace, name);
    });
  }

  /** The first `limit` changes of a resource after `version`, oldest first. */
  changesSince(resource: string, version: number, limit: number): readonly Change[] {
    return this.#statements.changes.all(resource, version, limit).map(readChange);
  }

  /** Called after each commit, in order of versions. Returns how to stop it. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Forgets how the state came about up to `version` (all of it by default). */
  compact(version: number = this.#version): void {
    if (version <= this.#compacted) return;
    this.#compacted = Math.min(version, this.#version);
    this.#db.transaction(() => {
      this.#statements.compact.run(this.#compacted);
      this.#statements.setCounter.run('compacted', this.#compacted);
    })();
    this.#logSize = this.#statements.logSize.get()?.total ?? 0;
  }

  close(): void {
    this.#listeners.clear();
    this.#db.close();
  }

  #commit(change: Change, write: () => void): void {
    this.#db.transaction(() => {
      write();
      const { version, resource, namespace, name, body, previous, deleted } = change;
      this.#statements.log.run(version, resource, namespace, name, body, previous ?? null, deleted ? 1 : 0);
      this.#statements.setCounter.run('version', version);
    })();
    this.#version = change.version;
    this.#logSize += change.body.length + (change.previous?.length ?? 0);
    this.#compactIfDue();
    for (const listener of this.#listeners) listener(change);
  }

  /** In steps, so that not every write pays for it. */
  #compactIfDue(): void {
    const oldest = this.#version - this.#window.maxChanges;
    if (oldest - this.#compacted >= COMPACT_STEP) this.compact(oldest);
    if (this.#logSize > this.#window.maxBytes)
      this.compact(this.#version - Math.floor((this.#version - this.#compacted) / 2));
  }

  #counter(name: string): number {
    return this.#statements.getCounter.get(name)?.value ?? 0;
  }
}

const COMPACT_STEP = 1_000;

const TABLES = [
  `CREATE TABLE IF NOT EXISTS object (
     resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,
     PRIMARY KEY (resource, namespace, name)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS change (
     version INTEGER PRIMARY KEY, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
     body TEXT NOT NULL, previous TEXT, deleted INTEGER NOT NULL) STRICT`,
  'CREATE INDEX IF NOT EXISTS change_by_object ON change (resource, namespace, name, version)',
  'CREATE INDEX IF NOT EXISTS change_by_version ON change (resource, version)',
  'CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID',
];

/** Objects of a resource (?1), in one namespace or all (?2), behind a cursor (?3, ?4). */
const CURRENT = `FROM object
  WHERE resource = ?1 AND (?2 IS NULL OR namespace = ?2) AND (namespace, name) > (?3, ?4)`;

/**
 * The same at a version (?2, the others one on): what has not changed since, and of what has, the state before its first
 * later change. As a compound of two ordered halves it is merged row by row, without sorting the whole.
 */
const snapshot = (columns: string, changedColumns: string): string => `
  SELECT ${columns} FROM object
  WHERE resource = ?1 AND version <= ?2 AND (?3 IS NULL OR namespace = ?3) AND (namespace, name) > (?4, ?5)
  UNION ALL
  SELECT ${changedColumns} FROM change c
  WHERE c.resource = ?1 AND c.version > ?2 AND (?3 IS NULL OR c.namespace = ?3) AND (c.namespace, c.name) > (?4, ?5)
    AND c.previous IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM change d WHERE d.resource = c.resource AND d.namespace = c.namespace AND d.name = c.name
        AND d.version > ?2 AND d.version < c.version)`;

interface ChangeRow {
  readonly version: number;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly body: string;
  readonly previous: string | null;
  readonly deleted: number;
}

interface Statements {
  readonly get: Statement<StoredObject, [string, string, string]>;
  readonly list: Statement<StoredObject, [string, string | null, string, string]>;
  readonly listAt: Statement<StoredObject, [string, number, string | null, string, string]>;
  readonly count: Statement<{ total: number }, [string, string | null, string, string]>;
  readonly countAt: Statement<{ total: number }, [string, number, string | null, string, string]>;
  readonly resourcesIn: Statement<{ resource: string }, [string]>;
  readonly put: Statement<unknown, [string, string, string, number, string]>;
  readonly delete: Statement<unknown, [string, string, string]>;
  readonly log: Statement<unknown, [number, string, string, string, string, string | null, number]>;
  readonly changes: Statement<ChangeRow, [string, number, number]>;
  readonly logSize: Statement<{ total: number | null }, []>;
  readonly compact: Statement<unknown, [number]>;
  readonly getCounter: Statement<{ value: number }, [string]>;
  readonly setCounter: Statement<unknown, [string, number]>;
}

function prepare(db: Database): Statements {
  return {
    get: db.query(
      'SELECT namespace, name, version, body FROM object WHERE resource = ?1 AND namespace = ?2 AND name = ?3',
    ),
    list: db.query(`SELECT namespace, name, version, body ${CURRENT} ORDER BY namespace, name`),
    listAt: db.query(
      `${snapshot('namespace, name, version, body', 'c.namespace, c.name, c.version, c.previous AS body')}
       ORDER BY namespace, name`,
    ),
    count: db.query(`SELECT count(*) AS total ${CURRENT}`),
    countAt: db.query(`SELECT count(*) AS total FROM (${snapshot('name', 'c.name')})`),
    resourcesIn: db.query('SELECT DISTINCT resource FROM object WHERE namespace = ?1'),
    put: db.query('INSERT OR REPLACE INTO object VALUES (?1, ?2, ?3, ?4, ?5)'),
    delete: db.query('DELETE FROM object WHERE resource = ?1 AND namespace = ?2 AND name = ?3'),
    log: db.query('INSERT INTO change VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)'),
    changes: db.query('SELECT * FROM change WHERE resource = ?1 AND version > ?2 ORDER BY version LIMIT ?3'),
    logSize: db.query('SELECT sum(length(body) + coalesce(length(previous), 0)) AS total FROM change'),
    compact: db.query('DELETE FROM change WHERE version <= ?1'),
    getCounter: db.query('SELECT value FROM counter WHERE name = ?1'),
    setCounter: db.query('INSERT OR REPLACE INTO counter VALUES (?1, ?2)'),
  };
}

function readChange(row: ChangeRow): Change {
  return { ...row, previous: row.previous ?? undefined, deleted: row.deleted === 1 };
}
