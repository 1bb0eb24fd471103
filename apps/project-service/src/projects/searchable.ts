import { normalized, searchTermsOf } from '@claude-cli/shared/search/terms';
import type { Project } from './project.ts';

/** Fields of a project that a term of a query can be limited to. */
export const searchFields = ['name', 'description'] as const;

/** What is stored of a project for its being found and sorted. */
export type Searchable = Pick<Project, 'terms' | 'term_texts' | 'name_key'>;

/**
 * What is stored of a project so that an index answers searches and gives the order of names, in which case and accents do
 * not count. To be made anew whenever one of the two changes.
 */
export function searchableOf({ name, description }: Pick<Project, (typeof searchFields)[number]>): Searchable {
  return { ...searchTermsOf({ name, description }), name_key: normalized(name).trim() };
}
