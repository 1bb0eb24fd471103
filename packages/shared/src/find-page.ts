import type { Model, QueryFilter } from 'mongoose';
import { totalOf } from './total.ts';

/** Which page of a list, in which order; the contract's names and defaults. */
export interface PageRequest {
  page?: number | undefined;
  page_size?: number | undefined;
  sort?: string | undefined;
  order?: 'asc' | 'desc' | undefined;
}

/** The filter for what was created in a time: from created_after on, before created_before; the contract's names. */
export function createdBetween(given: { created_after?: string | undefined; created_before?: string | undefined }): {
  created_at?: { $gte?: Date; $lt?: Date };
} {
  const { created_after, created_before } = given;
  if (created_after === undefined && created_before === undefined) return {};
  return {
    created_at: {
      ...(created_after === undefined ? {} : { $gte: new Date(created_after) }),
      ...(created_before === undefined ? {} : { $lt: new Date(created_before) }),
    },
  };
}

/**
 * A page of the documents that match, and how many match in all; totals above 1,000 can be some seconds old, see
 * {@link totalOf}. Ties are in the order of ids, so pages never overlap.
 * @param fields that are needed of the documents; all of them when absent
 */
export async function findPage<Document, Field extends keyof Document & string = keyof Document & string>(
  model: Model<Document>,
  filter: QueryFilter<Document>,
  { page = 1, page_size = 50, sort = 'created_at', order = 'desc' }: PageRequest,
  fields?: readonly Field[],
): Promise<{ documents: Pick<Document, Field>[]; total: number }> {
  const direction = order === 'asc' ? 1 : -1;
  const skipped = (page - 1) * page_size;
  const documents = await model
    .find(filter, fields && Object.fromEntries(fields.map((field) => [field, 1])))
    .sort({ [sort]: direction, _id: direction })
    .skip(skipped)
    .limit(page_size)
    .lean();
  // The last page tells the total; so nothing is counted for most lists.
  const isLast = documents.length < page_size && (documents.length > 0 || page === 1);
  const total = isLast ? skipped + documents.length : await totalOf(model, filter);
  return { documents: documents as Pick<Document, Field>[], total };
}
