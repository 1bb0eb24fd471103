/**
 * Watch which fields of a value are read. Compiled schemas read every field that they know and ignore the rest, as
 * Kubernetes would ignore a field with a typing error.
 * @returns the value to hand on, and the paths of the fields that nobody has read so far
 */
export function unread<Value extends object>(value: Value): [watched: Value, unread: () => string[]] {
  const read = new Set<string>();
  const watch = <Part extends object>(part: Part, path: string): Part =>
    new Proxy(part, {
      get(target, key, receiver) {
        const field = Reflect.get(target, key, receiver);
        if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return field;
        const inside = `${path}/${key}`;
        read.add(inside);
        return typeof field === 'object' && field !== null ? watch(field, inside) : field;
      },
    });
  return [watch(value, ''), () => pathsOf(value, '').filter((path) => !read.has(path))];
}

/** Of a field that was not read, not what is in it. */
function pathsOf(value: object, path: string): string[] {
  return Object.entries(value).flatMap(([key, field]) => {
    const inside = `${path}/${key}`;
    return [inside, ...(typeof field === 'object' && field !== null ? pathsOf(field, inside) : [])];
  });
}
