/** Something that the person who started us has to change. Its message is shown as it is, without a stack. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}

/** Print a failure the way a person needs it, and the exit code that goes with it. */
export function reportFailure(failure: unknown): number {
  if (failure instanceof SetupError) console.error(failure.message);
  else console.error(failure);
  return 1;
}

/** Whether a thrown value is a system error with this code, such as ENOENT. */
export function hasCode(thrown: unknown, ...codes: string[]): boolean {
  // Not instanceof: jest runs us in a realm of its own, and errors of Node come from the one outside.
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && codes.includes(String(thrown.code));
}
