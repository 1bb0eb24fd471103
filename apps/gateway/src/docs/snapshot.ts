import type { Contract } from '../contract/contract.ts';
import { endpointsOf } from '../contract/endpoints.ts';
import { openapiOf } from './openapi.ts';

/** The OpenAPI document as it is committed, for readers and for whoever generates clients. */
export const snapshot = new URL('../../../../docs/openapi.json', import.meta.url);

/** What {@link snapshot} has to hold. */
export function openapiText(contract: Contract, version: string): string {
  return `${JSON.stringify(openapiOf(contract, endpointsOf(contract), version), null, 2)}\n`;
}
