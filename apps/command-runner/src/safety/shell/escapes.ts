const named: Record<string, string> = {
  a: '\x07',
  b: '\b',
  e: '\x1b',
  E: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** What `$'…'`, printf and echo make of backslash sequences. */
export function decodeEscapes(text: string): string {
  const sequence = /\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|c(.)|(0?[0-7]{1,3})|([\s\S]))/g;
  return text.replace(sequence, (whole, byte, short, long, control, octal, other) => {
    const hex = byte ?? short ?? long;
    if (hex !== undefined) return characterOf(Number.parseInt(hex, 16));
    if (control !== undefined) return characterOf(control.charCodeAt(0) & 31);
    if (octal !== undefined) return characterOf(Number.parseInt(octal, 8) & 255);
    return named[other] ?? (/[\\'"?]/.test(other) ? other : whole);
  });
}

function characterOf(code: number): string {
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '';
}

/** What `printf format arguments…` writes. */
export function formatted([format = '', ...values]: readonly string[]): string {
  const rest = [...values];
  let text = '';
  // The format is used again while values are left, as often as there can be values.
  do {
    const before = rest.length;
    text += decodeEscapes(format).replace(/%[-+ #0]*\d*(?:\.\d+)?([a-zA-Z%])/g, (_, letter) => {
      if (letter === '%') return '%';
      const value = rest.shift() ?? '';
      return letter === 'b' ? decodeEscapes(value) : letter === 'c' ? value.slice(0, 1) : value;
    });
    if (rest.length === before) break;
  } while (rest.length > 0);
  return text;
}
