import type { Settings } from '@claude-cli/shared/settings';
import { addressRule } from './addresses.ts';
import { parsePorts, type UrlRules } from './url-rule.ts';

/** Settings that say where webhooks may lead. */
export const urlSettings = ['WEBHOOK_ALLOW_PRIVATE_NETWORKS', 'WEBHOOK_ALLOWED_NETWORKS', 'WEBHOOK_PORTS'] as const;

/** What URLs are checked by in this installation. */
export function urlRulesOf(config: Settings<(typeof urlSettings)[number]>): UrlRules {
  const { WEBHOOK_ALLOW_PRIVATE_NETWORKS, WEBHOOK_ALLOWED_NETWORKS, WEBHOOK_PORTS } = config;
  return {
    allows: addressRule(WEBHOOK_ALLOW_PRIVATE_NETWORKS, WEBHOOK_ALLOWED_NETWORKS),
    ports: parsePorts(WEBHOOK_PORTS),
  };
}
