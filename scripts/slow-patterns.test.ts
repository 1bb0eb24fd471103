import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseSync } from '@swc/core';
import { isSafe, isSafePattern } from 'redos-detector';
import { root } from './platform/paths.ts';

/** Code that reads what callers send, before anybody knows who they are or at every door. */
const doors = ['apps/gateway/src', 'apps/realtime/src', 'apps/project-service/src', 'packages/shared/src'];

/** Patterns that take more than linear time on some text, and why that text cannot come or cannot be long. */
const bounded: Readonly<Record<string, string>> = {
  '[\\r\\n]+$': 'the file of a secret, by whoever operates the platform',
  '^(\\d{1,2}|[\\da-fA-F.:/]+|loopback|linklocal|uniquelocal)(\\s*,\\s*([\\da-fA-F.:/]+|loopback|linklocal|uniquelocal))*$':
    'a setting',
  '\\/(Get|List|Check|Diagnose|Stream)[A-Za-z]*$': 'the name of an RPC of the contract',
  '\\{\\w+\\}': 'a path of the contract',
  '\\{(\\w+)\\}': 'a path of the contract',
  '\\{\\{(\\w+)\\}\\}': 'a path of the contract',
  '\\s*\\n\\s*': 'a comment of the contract',
  '(?:(?<field>[A-Za-z_][\\w.]*):)?(?:"(?<double>(?:[^"\\\\]|\\\\.)*)"|\'(?<single>(?:[^\'\\\\]|\\\\.)*)\'|(?<bare>[^\\s()"\'][^\\s()"]*))':
    'the text of a search, whose length the contract bounds',
  '\\d{1,3}(?:\\.\\d{1,3}){3}:\\d+': 'a setting',
  // Of log lines: what a try looks through in vain holds no place where another one begins, which steps do not tell.
  '(:\\/\\/)[^\\s/@"\\\\:]{0,200}:[^\\s/@"\\\\]{1,400}@': 'tries end at the next slash, and are bounded',
  '([?&](?:access_token|token|api_key|apikey|key|secret|signature|password)=)[^&\\s"\\\\#]+': 'no try is in vain',
  '\\b(Bearer|Basic)\\s{1,4}[\\w.~+/=-]{8,}': 'tries end at the next space',
  '(?<![\\w-])eyJ[\\w-]{5,}\\.[\\w-]{5,}\\.[\\w-]*': 'tries begin at no character of those that they look through',
  '\\b(?:whsec|ccp|sk-ant)[_-][\\w+/=-]{8,}': 'tries in vain are short',
  '%.*$': 'an address that is an IPv6 address, as node:net says',
};

interface Literal {
  pattern: string;
  flags: string;
}

function* literalsIn(node: unknown): Generator<Literal> {
  if (typeof node !== 'object' || node === null) return;
  if ('type' in node && node.type === 'RegExpLiteral') yield node as unknown as Literal;
  for (const value of Object.values(node)) yield* literalsIn(value);
}

/** Whether a pattern is linear: counted in steps of backtracking, not timed. Names of groups change nothing about it. */
function isLinear({ pattern, flags }: Literal): boolean {
  const nameless = pattern.replaceAll(/\(\?<(?![=!])\w+>/g, '(');
  return isSafe(new RegExp(nameless, flags.replace('v', 'u')), { maxSteps: 2_000 }).safe;
}

test('no pattern at the doors takes more than linear time on what a caller sends', () => {
  const files = doors.flatMap((door) => globSync(`${door}/**/*.ts`, { cwd: root }));
  const code = files.filter((file) => !/\.test\.ts$|\/testing\//.test(file));
  const literals = code.flatMap((file) => {
    const syntax = { syntax: 'typescript', target: 'es2024' } as const;
    return [...literalsIn(parseSync(readFileSync(join(root, file), 'utf8'), syntax))].map((each) => ({
      file,
      ...each,
    }));
  });
  expect(literals.length).toBeGreaterThan(30);
  const slow = literals.filter((literal) => !isLinear(literal));
  expect(slow.filter(({ pattern }) => !Object.hasOwn(bounded, pattern))).toEqual([]);
  const found = new Set(slow.map(({ pattern }) => pattern));
  expect(Object.keys(bounded).filter((pattern) => !found.has(pattern))).toEqual([]);
});

test('no pattern of the contract takes more than linear time', () => {
  const document = readFileSync(join(root, 'docs/openapi.json'), 'utf8');
  const patterns = new Set<string>();
  JSON.parse(document, (key, value) => {
    if (key === 'pattern' && typeof value === 'string') patterns.add(value);
    return value;
  });
  expect(patterns.size).toBeGreaterThan(4);
  const slow = [...patterns].filter((pattern) => !isSafePattern(pattern, { unicode: true }).safe);
  expect(slow).toEqual([]);
});
