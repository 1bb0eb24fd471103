import { deletionRules } from './deletion.ts';
import type { Invocation, Rule } from './rule.ts';
import { cautions, scriptRules } from './scripts.ts';
import { secretRules } from './secrets.ts';
import { systemRules } from './system.ts';
import { writingRules } from './writing.ts';

const rules: readonly Rule[] = [
  ...deletionRules,
  ...writingRules,
  ...systemRules,
  ...scriptRules,
  ...secretRules,
  ...cautions,
];

const ofAny = rules.filter((rule) => rule.programs.length === 0);
const byProgram = Map.groupBy(
  rules.flatMap((rule) => rule.programs.map((program) => ({ program, rule }))),
  ({ program }) => program,
);

/** Programs that rules are about. */
export const ruledPrograms: readonly string[] = [...byProgram.keys()];

/** The rules that a program with its arguments breaks. */
export function brokenRules(invocation: Invocation): Rule[] {
  const ofThis = byProgram.get(invocation.program)?.map(({ rule }) => rule) ?? [];
  return [...ofThis, ...ofAny].filter((rule) => rule.applies(invocation));
}
