// biome-ignore-all lint/performance/noBarrelFile: the entry of a published package; nothing in it imports this file.
export { ClaudeCliClient, type ClientOptions } from './client.ts';
export type { StreamOptions } from './command-stream.ts';
export { ApiError, isApiError, isInvalid, isNotFound, isUnauthenticated } from './errors.ts';
export type * from './gen/types.ts';
export type { LiveConnection } from './live.ts';
export type { Channel, LiveEvents, LiveMessage, Scope } from './live-messages.ts';
export type { WebSocketConstructor, WebSocketLike } from './live-socket.ts';
export type { CallOptions } from './operation.ts';
export type { OutputLine } from './output-merge.ts';
export { defaultRetries, type RetryRules } from './retry.ts';
export type { Credentials } from './sign-in.ts';
export type { TokenProvider } from './tokens.ts';
export { verifyWebhookSignature } from './webhooks.ts';
