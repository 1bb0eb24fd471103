import type { Model, QueryFilter } from 'mongoose';

/** Which page of a list, in which order; the contract's names and defaults. */
export interface PageRequest {
  page?: number | undefined;
  page_size?: number | undefined;
  sort?: string | undefined;
  order?: 'asc' | 'desc' | undefined;
}

/** A page of the documents that match, and how many match in all. Ties are in the order of ids, so pages never overlap. */
export async function findPage<Document>(
  model: Model<Document>,
  filter: QueryFilter<Document>,
  { page = 1, page_size = 50, sort = 'created_at', order = 'desc' }: PageRequest,
): Promise<{ documents: Document[]; total: number }> {
  const direction = order === 'asc' ? 1 : -1;
  const [documents, total] = await Promise.all([
    model
      .find(filter)
      .sort({ [sort]: direction, _id: direction })
      .skip((page - 1) * page_size)
      .limit(page_size)
      .lean(),
    model.countDocuments(filter),
  ]);
  return { documents: documents as Document[], total };
}
