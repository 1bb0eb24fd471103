import { normalized, searchTermsOf } from '@claude-cli/shared/search/terms';
import type { Task } from './task.ts';

/** Fields of a task that a term of a query can be limited to. */
export const searchFields = ['title', 'tag', 'description'] as const;

type Field = (typeof searchFields)[number];

/**
 * What is stored of a task so that an index answers searches and gives the order of titles, in which case and accents do
 * not count. To be made anew whenever one of the three changes.
 */
export function searchableOf({
  title,
  description,
  tags,
}: Pick<Task, 'title' | 'description' | 'tags'>): Pick<Task, 'terms' | 'term_texts' | 'title_key'> {
  const texts = { title, tag: tags, description } satisfies Record<Field, unknown>;
  return { ...searchTermsOf(texts), title_key: normalized(title).trim() };
}
