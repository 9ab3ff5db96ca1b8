/** Statement and row helpers shared by the tables. Columns carry the names of the model's fields. */

/** Inserts a row, or replaces every column of the one with the same key. */
export function upsert(table: string, columns: readonly string[], key: readonly string[]): string {
  const changes = columns.filter((column) => !key.includes(column)).map((column) => `"${column}" = excluded."${column}"`);
  return `${insert(table, columns)} ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${changes.join(', ')}`;
}

export function insert(table: string, columns: readonly string[]): string {
  return `INSERT INTO ${table} (${quoted(columns)}) VALUES (${columns.map((column) => `@${column}`).join(', ')})`;
}

export function quoted(columns: readonly string[]): string {
  return columns.map((column) => `"${column}"`).join(', ');
}

/** Between an object of the model and its row: the fields named are JSON text in the row. */
export function jsonFields<T extends object>(...fields: (keyof T & string)[]) {
  return {
    toRow(object: T): Record<string, unknown> {
      const row = { ...object } as Record<string, unknown>;
      for (const field of fields) row[field] = JSON.stringify(row[field]);
      return row;
    },
    /** the row is one that `toRow` made, so its shape is T's */
    fromRow(row: unknown): T {
      const object = row as Record<string, unknown>;
      for (const field of fields) if (typeof object[field] === 'string') object[field] = JSON.parse(object[field]);
      return object as T;
    },
  };
}
