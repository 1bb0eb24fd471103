import express, { type RequestHandler } from 'express';
import { unsupportedMediaType } from './errors.ts';

/** Reads a JSON body of at most so many bytes, counted after inflation. A request without a body passes. */
export function jsonBody(limit: number): RequestHandler[] {
  return [refuseOtherTypes, express.json({ limit, strict: false, type: () => true })];
}

const refuseOtherTypes: RequestHandler = (request, _response, next) => {
  const { 'content-type': type, 'content-length': length, 'transfer-encoding': chunked } = request.headers;
  const hasBody = chunked !== undefined || (length !== undefined && length !== '0');
  if (hasBody && !/^application\/json\s*(;|$)/i.test(type ?? '')) {
    throw unsupportedMediaType('The body must be application/json');
  }
  next();
};
