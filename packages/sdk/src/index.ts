// biome-ignore-all lint/performance/noBarrelFile: the entry of a published package; nothing in it imports this file.
export { ClaudeCliClient, type ClientOptions } from './client.ts';
export type { OutputLine } from './command-stream.ts';
export { ApiError, isApiError, isInvalid, isNotFound, isUnauthenticated } from './errors.ts';
export type * from './gen/types.ts';
export type { LiveConnection } from './live.ts';
export type { Channel, LiveEvents, LiveMessage, LiveQueue, Metric, Scope } from './live-messages.ts';
export type { WebSocketConstructor, WebSocketLike } from './live-socket.ts';
export type { CallOptions } from './operation.ts';
export { defaultRetries, type RetryRules } from './retry.ts';
export type { Credentials } from './sign-in.ts';
export type { TokenProvider } from './tokens.ts';
export { verifyWebhookSignature } from './webhooks.ts';
