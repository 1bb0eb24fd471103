import type { Attributes } from '@opentelemetry/api';
import type { mongo } from 'mongoose';
import { beginInnerSpan } from './tracing.ts';

/** Commands under way that have a span, at most. A connection has one at a time, so that is more than any pool has. */
const mostOpen = 1_000;

/**
 * A span for each command to MongoDB that is part of a trace that is recorded, by the conventions of OpenTelemetry: what is done
 * to which collection, and how it ended, never what is asked or answered. Heard are the commands of a client that was made with
 * `monitorCommands`.
 */
export function traceCommands(client: mongo.MongoClient): void {
  const open = new Map<number, (failure?: Attributes) => void>();
  client.on('commandStarted', (event: mongo.CommandStartedEvent) => {
    if (open.size >= mostOpen) return;
    const { commandName, databaseName, address } = event;
    const collection = collectionOf(event);
    const end = beginInnerSpan(collection === undefined ? commandName : `${commandName} ${collection}`, {
      kind: 'client',
      attributes: {
        'db.system.name': 'mongodb',
        'db.operation.name': commandName,
        'db.namespace': databaseName,
        ...(collection !== undefined && { 'db.collection.name': collection }),
        ...serverOf(address),
      },
    });
    if (end) open.set(event.requestId, end);
  });
  const ended = (requestId: number, failure?: Attributes) => {
    open.get(requestId)?.(failure);
    open.delete(requestId);
  };
  client.on('commandSucceeded', ({ requestId }: mongo.CommandSucceededEvent) => ended(requestId));
  client.on('commandFailed', ({ requestId, failure }: mongo.CommandFailedEvent) => ended(requestId, codesOf(failure)));
}

function collectionOf({ commandName, command }: mongo.CommandStartedEvent): string | undefined {
  const named = commandName === 'getMore' ? command.collection : command[commandName];
  return typeof named === 'string' ? named : undefined;
}

/** @param address host:port, [IPv6]:port, or the path of a socket */
function serverOf(address: string): Attributes {
  const colon = address.lastIndexOf(':');
  if (colon === -1) return { 'server.address': address };
  const host = address.slice(0, colon);
  return {
    'server.address': host.startsWith('[') ? host.slice(1, -1) : host,
    'server.port': Number(address.slice(colon + 1)),
  };
}

// Not the message: that of a duplicate key quotes it.
function codesOf(failure: Error & { code?: unknown }): Attributes {
  const { code, name } = failure;
  return typeof code === 'number'
    ? { 'error.type': String(code), 'db.response.status_code': String(code) }
    : { 'error.type': name };
}
