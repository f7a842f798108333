const NUMBER = /^\d+(\.\d+)?$/;

/** Columns as wide as their widest cell; those that hold a number are aligned to the right. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const columns = (rows[0] ?? []).map((_, index) => {
    const cells = rows.map((row) => row[index] ?? '');
    return { width: Math.max(...cells.map((cell) => cell.length)), right: cells.some((cell) => NUMBER.test(cell)) };
  });
  return rows.map((row) =>
    columns
      .map(({ width, right }, index) => (right ? (row[index] ?? '').padStart(width) : (row[index] ?? '').padEnd(width)))
      .join('  ')
      .trimEnd(),
  );
}
