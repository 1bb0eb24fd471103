/**
 * Do something with each item, so many at once, and answer the results in the order of the items. The first failure
 * rejects; no further item is begun then.
 * @param width how many are under way at once
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  width: number,
  run: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  const left = items.entries();
  let failed = false;
  const work = async () => {
    for (const [place, item] of left) {
      if (failed) return;
      results[place] = await run(item).catch((error) => {
        failed = true;
        throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work));
  return results;
}
