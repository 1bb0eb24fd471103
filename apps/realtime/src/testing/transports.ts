import { LiveServiceService } from '@claude-cli/proto/platform/v1/live';
import type { QueueName_Name } from '@claude-cli/proto/platform/v1/queues';
import { type Caller, permissionsOf } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import { testChannel } from '@claude-cli/shared/testing/channel';
import { io } from 'socket.io-client';
import { errorMessage } from '../messages/encoded.ts';
import type { Client, Received } from './client.ts';
import { Inbox } from './inbox.ts';
import type { Platform, Replica, User } from './platform.ts';

/** How somebody comes. */
export interface Coming {
  replica?: Replica;
  /** How long the token is good, in seconds. */
  expiresIn?: number;
}

/** What somebody wants to hear. */
export interface Wish {
  channel: string;
  project_id?: string;
  task_id?: string;
  command_id?: string;
  queue_name?: QueueName_Name;
  interval?: number;
  since?: { epoch: unknown; seq: unknown }[];
}

/** Somebody who listens to a channel, by some transport. */
export interface Listener {
  /** What the wish to listen was answered with. */
  answer: Received;
  inbox: Inbox;
  /** Read nothing more until `resume`. */
  pause(): void;
  resume(): void;
  leave(): void;
}

/** A transport as its clients use it. */
export interface Transport {
  name: string;
  /** Sign in, and listen. */
  listen(platform: Platform, user: User, wish: Wish, coming?: Coming): Promise<Listener>;
}

/** A transport whose clients sign in by themselves, and send messages. */
export interface TalkingTransport extends Transport {
  /** Connect and send a token. @returns the answer, and what came */
  signIn(platform: Platform, session: string, token: string | undefined): Promise<{ answer: Received; inbox: Inbox }>;
  /** Connect, sign in and send messages of a type, without waiting for anything. @returns what came */
  flood(platform: Platform, user: User, messages: readonly object[]): Promise<Inbox>;
}

function filled(client: Client): Inbox {
  const inbox = new Inbox();
  client.socket.on('message', (data) => inbox.put(JSON.parse(data.toString())));
  void client.closed.then((code) => inbox.end(code));
  return inbox;
}

const webSocket: TalkingTransport = {
  name: 'WebSocket',
  async listen(platform, user, wish, { replica = platform.service, expiresIn } = {}) {
    const client = await platform.connect(user.session, {}, replica);
    const inbox = filled(client);
    client.send({ type: 'authenticate', token: platform.token(user, expiresIn === undefined ? {} : { expiresIn }) });
    const signedIn = await inbox.next();
    if (signedIn.type === 'error') throw new Error(`not signed in: ${JSON.stringify(signedIn.data)}`);
    client.send({ type: 'subscribe', ...wish });
    return {
      answer: await inbox.next(),
      inbox,
      pause: () => client.socket.pause(),
      resume: () => client.socket.resume(),
      leave: () => client.socket.terminate(),
    };
  },
  async signIn(platform, session, token) {
    const client = await platform.connect(session);
    const inbox = filled(client);
    if (token !== undefined) client.send({ type: 'authenticate', token });
    return { answer: await inbox.next(), inbox };
  },
  async flood(platform, user, messages) {
    const client = await platform.connect(user.session);
    const inbox = filled(client);
    client.send({ type: 'authenticate', token: platform.token(user) });
    await inbox.next('authenticated');
    for (const message of messages) client.send(message);
    return inbox;
  },
};

/** Connect by Socket.IO. */
export function connectSocketIo(replica: Replica, auth: object) {
  const socket = io(`http://127.0.0.1:${replica.ctx.port}`, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth,
  });
  const inbox = new Inbox();
  let code = 1006;
  socket.onAny((event: string, message: Received) => {
    if (event === 'closing') code = Number(message.data.code);
    else inbox.put({ ...message, type: event });
  });
  socket.on('disconnect', () => inbox.end(code));
  socket.on('connect_error', (error) => {
    inbox.put({ type: 'error', data: (error as Error & { data?: Record<string, unknown> }).data ?? {} });
    // Closed with the refusal.
    inbox.end((error as Error & { data?: unknown }).data === undefined ? code : 4000);
  });
  return { socket, inbox };
}

const socketIo: TalkingTransport = {
  name: 'Socket.IO',
  async listen(platform, user, wish, { replica = platform.service, expiresIn } = {}) {
    const token = platform.token(user, expiresIn === undefined ? {} : { expiresIn });
    const { socket, inbox } = connectSocketIo(replica, { token, session_id: user.session });
    const signedIn = await inbox.next();
    if (signedIn.type === 'error') throw new Error(`not signed in: ${JSON.stringify(signedIn.data)}`);
    const { promise: answer, resolve } = Promise.withResolvers<Received>();
    socket.emit('subscribe', wish, resolve);
    const below = (socket.io.engine.transport as unknown as { ws: { pause(): void; resume(): void } }).ws;
    return {
      answer: await answer,
      inbox,
      pause: () => below.pause(),
      resume: () => below.resume(),
      leave: () => void socket.disconnect(),
    };
  },
  async signIn(platform, session_id, token) {
    const { socket, inbox } = connectSocketIo(platform.service, { session_id });
    if (token === undefined) return { answer: await inbox.next(), inbox };
    const answer = await new Promise<Received>((resolve) => socket.emit('authenticate', { token }, resolve));
    return { answer, inbox };
  },
  async flood(platform, user, messages) {
    const { socket, inbox } = connectSocketIo(platform.service, {
      token: platform.token(user),
      session_id: user.session,
    });
    await inbox.next('authenticated');
    for (const message of messages) {
      const { type, ...payload } = message as { type: string };
      socket.emit(type, payload);
    }
    return inbox;
  },
};

const sse: Transport = {
  name: 'server-sent events',
  async listen(_platform, user, { since, ...wish }, { replica = _platform.service, expiresIn = 3600 } = {}) {
    const channel = testChannel(replica.grpcPort);
    const caller: Caller = {
      user_id: user.id,
      role: 'developer',
      permissions: permissionsOf.developer,
      credential: {
        kind: 'token',
        id: newId(),
        expires_at: Math.floor(Date.now() / 1_000) + expiresIn,
        token_version: 0,
      },
    };
    const left = new AbortController();
    const inbox = new Inbox();
    const reading = { go: Promise.withResolvers<void>() };
    reading.go.resolve();
    const origin = { caller, requestId: newId(), signal: left.signal };
    const ids = since?.map(({ epoch, seq }) => `${epoch}:${seq}`).join(',');
    const request = { ...wish, ...(ids === undefined ? {} : { since: ids }) };
    const handle: Omit<Listener, 'answer'> = {
      inbox,
      pause: () => {
        reading.go = Promise.withResolvers<void>();
      },
      resume: () => reading.go.resolve(),
      leave: () => left.abort(),
    };
    try {
      const events = await channel.client(LiveServiceService).streamEvents(request, origin);
      void (async () => {
        // One that just ends is over for a while, as when the process stops.
        let code = 1012;
        try {
          for await (const { id, event, data } of events) {
            const message = { ...JSON.parse(data), ...(id === undefined ? {} : { id }) } as Received;
            if (event === 'closing') code = Number(message.data.code);
            else inbox.put(message);
            await reading.go.promise;
          }
        } catch {
          code = 1006;
        } finally {
          channel.close();
          inbox.end(code);
        }
      })();
    } catch (thrown) {
      channel.close();
      const { message } = errorMessage(PlatformError.from(thrown));
      return { ...handle, answer: message as Received };
    }
    return { ...handle, answer: await inbox.next() };
  },
};

/** Every transport. */
export const transports: readonly Transport[] = [webSocket, socketIo, sse];

/** Those whose clients sign in by themselves. */
export const talkingTransports: readonly TalkingTransport[] = [webSocket, socketIo];
