import type { Endpoint } from '../contract/endpoints.ts';

/** A page as a service answers it. */
export interface Page {
  items: unknown[];
  total: number;
}

/** A page with where it lies among the others. Links keep the other query parameters as they were sent. */
export function paginate(endpoint: Endpoint, request: Record<string, unknown>, query: string, page: Page) {
  const number = Number(request.page);
  const size = Number(request.page_size);
  const pages = Math.ceil(page.total / size);
  const last = Math.max(pages, 1);
  const linkTo = linksOf(endpoint, request, query);
  const link = (target: number) => linkTo(target, size);
  const position = { page: number, page_size: size, pages };
  const hasNext = number < pages;
  const hasPrevious = number > 1;
  return {
    ...page,
    ...position,
    has_next: hasNext,
    has_previous: hasPrevious,
    pagination: {
      total: page.total,
      ...position,
      links: {
        first: link(1),
        // Beyond the end, the previous page is the last one that there is.
        previous: hasPrevious ? link(Math.min(number - 1, last)) : null,
        next: hasNext ? link(number + 1) : null,
        last: link(last),
      },
    },
  };
}

function linksOf(endpoint: Endpoint, request: Record<string, unknown>, query: string) {
  const path = endpoint.path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(request[name])));
  const others = query.split('&').filter((part) => part && !/^page(_size)?(=|$)/.test(part));
  const base = `${path}?${others.map((part) => `${part}&`).join('')}`;
  return (page: number, size: number) => `${base}page=${page}&page_size=${size}`;
}
