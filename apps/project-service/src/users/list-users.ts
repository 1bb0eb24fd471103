import type { ListUsersRequest, ListUsersResponse } from '@claude-cli/proto/platform/v1/users';
import { findPage } from '@claude-cli/shared/find-page';
import { foldedKey } from '@claude-cli/shared/folded-key';
import type { QueryFilter } from 'mongoose';
import type { Context } from '../context.ts';
import { toProto, type User } from './user.ts';

/** A page of the accounts that match. */
export async function listUsers(ctx: Context, request: ListUsersRequest): Promise<ListUsersResponse> {
  const sort = request.sort === 'username' ? 'username_key' : request.sort;
  const { documents, total } = await findPage(ctx.users, filterOf(request), { ...request, sort });
  return { items: documents.map(toProto), total };
}

/** The filter that finds the accounts asked for. */
export function filterOf({ role, tier, status, search }: ListUsersRequest): QueryFilter<User> {
  const filter: QueryFilter<User> = { deleted_at: null };
  if (role !== undefined) filter.role = role;
  if (tier !== undefined) filter.tier = tier;
  // A range instead of $ne, so that an index can bound it.
  if (status !== undefined) filter.disabled_at = status === 'active' ? null : { $gt: new Date(0) };
  if (search !== undefined) {
    const beginning = foldedKey(search);
    // One key has to lie within, so the range must not be met by two of them.
    filter.search_keys = { $elemMatch: { $gte: beginning, $lt: `${beginning}\u{10ffff}` } };
  }
  return filter;
}
