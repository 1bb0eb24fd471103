/** Longest line that is held back because it may become a mark, in UTF-16 units. */
const longestMark = 1_000;
const lineMark = '::progress ';

/** OSC 9;4, as terminals know it: `ESC ] 9 ; 4 ; state ; percent`, ended by BEL or ST. */
const esc = String.fromCharCode(27);
const bel = String.fromCharCode(7);
const osc = `${esc}\\]9;4;(?<state>[0-4])(?:;(?<osc>\\d{0,3}))?(?:${bel}|${esc}\\\\)`;
const line = '(?<![^\\n])::progress (?<line>\\d{1,6})(?:\\.\\d{1,9})?%?(?:[ \\t]*\\r?\\n|[ \\t]+)';
const marks = new RegExp(`${osc}|${line}`, 'g');
const beginOfOsc = new RegExp(`${esc}(?:\\](?:9(?:;(?:4(?:;(?:[0-4](?:;\\d{0,3})?${esc}?)?)?)?)?)?)?$`);
const longestOsc = 16;

/**
 * Finds the progress that a program tells in its output, and takes the marks out of it: lines that begin with
 * `::progress 45`, of which text that follows stays, and OSC 9;4. A mark may come in parts; what may become one is held back.
 */
export class ProgressReader {
  readonly #report: (percent: number) => void;
  #held = '';
  /** Whether what comes after what was taken begins a line. */
  #atLineStart = true;

  /** @param report is told each progress, a whole number from 0 to 100 */
  constructor(report: (percent: number) => void) {
    this.#report = report;
  }

  /** The text without marks, as far as it is certain. */
  read(text: string): string {
    const all = this.#held + text;
    const held = this.#mayBecomeMark(all);
    this.#held = held === 0 ? '' : all.slice(-held);
    return this.#take(held === 0 ? all : all.slice(0, -held));
  }

  /** What was held back, when nothing more comes. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    // A last line needs no line feed to be a mark; one that is added and not used up by a mark goes again.
    const taken = this.#take(`${rest}\n`);
    return taken.endsWith('\n') ? taken.slice(0, -1) : taken;
  }

  #take(text: string): string {
    if (text === '') return '';
    const startsLine = this.#atLineStart;
    this.#atLineStart = text.endsWith('\n');
    if (!text.includes(lineMark) && !text.includes(`${esc}]9;4;`)) return text;
    return text.replace(marks, (mark, ...rest) => {
      const [offset, , groups] = rest.slice(-3) as [number, string, Record<string, string | undefined>];
      if (groups.state !== undefined) {
        // 0 takes the display away, 3 is a progress without a number.
        if (groups.osc && groups.state !== '0' && groups.state !== '3') this.#tell(groups.osc);
        return '';
      }
      if (offset === 0 && !startsLine) return mark;
      this.#tell(groups.line);
      return '';
    });
  }

  #tell(digits: string | undefined): void {
    this.#report(Math.min(100, Number(digits)));
  }

  /** Length of the end that may become a mark. */
  #mayBecomeMark(text: string): number {
    const osc = beginOfOsc.exec(text.slice(-longestOsc))?.[0].length ?? 0;
    const start = text.lastIndexOf('\n') + 1;
    const last = text.slice(start);
    if (last.length > longestMark || (start === 0 && !this.#atLineStart)) return osc;
    return lineMark.startsWith(last) || last.startsWith(lineMark) ? Math.max(osc, last.length) : osc;
  }
}
