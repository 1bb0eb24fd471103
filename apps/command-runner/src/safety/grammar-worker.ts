// Parses commands for the runner, one after the other; see grammar.ts.
import { readFile } from 'node:fs/promises';
import { parentPort } from 'node:worker_threads';
import { getProcessor, LangVariant, ParseError } from 'sh-syntax';
import type { Parsed } from './grammar.ts';

/** The part of the engine's interface that is used; it has no types without those of browsers. */
declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<object>;
  Instance: new (module: object, imports: object) => { exports: object };
};

const module = await WebAssembly.compile(await readFile(new URL(import.meta.resolve('sh-syntax/main.wasm'))));
// An instance per command, because one that has parsed is not clean any more.
const parseScript = getProcessor(async (imports) => new WebAssembly.Instance(module, imports));

/** As Bash, which has most of the grammars that /bin/sh may have, and else as a POSIX shell. */
async function parse(command: string): Promise<Parsed> {
  const asBash = await parseAs(command, LangVariant.LangBash);
  if ('starts' in asBash) return asBash;
  const asPosix = await parseAs(command, LangVariant.LangPOSIX);
  return 'starts' in asPosix ? asPosix : asBash;
}

async function parseAs(command: string, variant: LangVariant): Promise<Parsed> {
  try {
    const { Stmts } = await parseScript(command, { variant, keepComments: false });
    return { starts: Stmts.map(({ Position }) => Position.Offset) };
  } catch (thrown) {
    if (!(thrown instanceof ParseError) || !thrown.Pos) return { problem: 'it is too deeply nested' };
    const { Line, Col } = thrown.Pos;
    return { problem: `line ${Line}, column ${Col}: ${thrown.Text.replaceAll('`', "'")}` };
  }
}

parentPort?.on('message', async (command: string) => parentPort?.postMessage(await parse(command)));
parentPort?.postMessage('ready');
