import type { Writable } from 'node:stream';

/**
 * Let what is written to a stream by one piece of code go out together. Messages that are handled together are acknowledged
 * together, and a system call for each acknowledgement would cost more than the rest of it, here and at the broker.
 */
export function gatherWrites(stream: Writable): void {
  const write = stream.write as (...args: unknown[]) => boolean;
  let isGathering = false;
  const send = () => {
    isGathering = false;
    stream.uncork();
  };
  stream.write = (...args: unknown[]) => {
    if (!isGathering) {
      isGathering = true;
      stream.cork();
      process.nextTick(send);
    }
    return write.apply(stream, args);
  };
}
