import type { Response } from 'express';

const begun = 'stream-begun';

/**
 * Call back once, when the response is over or, for a stream, has begun: from then on it holds up nobody.
 * @param done is told whether the caller was there for the answer
 */
export function onceAnswered(response: Response, done: (answered: boolean) => void): void {
  const onBegun = () => settle(true);
  const onClose = () => settle(response.writableFinished);
  const settle = (answered: boolean) => {
    response.off('close', onClose).off(begun, onBegun);
    done(answered);
  };
  response.once('close', onClose).once(begun, onBegun);
}

/** A stream was accepted, and goes on for as long as both sides like. */
export function streamHasBegun(response: Response): void {
  response.emit(begun);
}
