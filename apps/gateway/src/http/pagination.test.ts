import { describe, expect, test } from '@jest/globals';
import { endpointsOf } from '../contract/endpoints.ts';
import { paginate } from './pagination.ts';

const endpoint = endpointsOf().find(({ name }) => name === 'TaskService.ListTasks');
if (!endpoint) throw new Error('there is no list of tasks');

const page = (number: number, total: number, query = '', size = 50) =>
  paginate(endpoint, { page: number, page_size: size }, query, { items: [], total });

describe('a page', () => {
  test('in the middle links to all others, as the reference shows', () => {
    expect(page(2, 1500)).toMatchObject({
      total: 1500,
      page: 2,
      page_size: 50,
      pages: 30,
      has_next: true,
      has_previous: true,
      pagination: {
        total: 1500,
        page: 2,
        page_size: 50,
        pages: 30,
        links: {
          first: '/api/tasks/?page=1&page_size=50',
          previous: '/api/tasks/?page=1&page_size=50',
          next: '/api/tasks/?page=3&page_size=50',
          last: '/api/tasks/?page=30&page_size=50',
        },
      },
    });
  });

  test('at an end has no link beyond it', () => {
    expect(page(1, 60)).toMatchObject({ has_previous: false, pagination: { links: { previous: null } } });
    expect(page(2, 60)).toMatchObject({ has_next: false, pagination: { links: { next: null } } });
  });

  test('of nothing is the first of no pages', () => {
    expect(page(1, 0)).toMatchObject({ pages: 0, has_next: false, has_previous: false });
    expect(page(1, 0).pagination.links).toMatchObject({ next: null, last: '/api/tasks/?page=1&page_size=50' });
  });

  test('beyond the end links back to the last one', () => {
    expect(page(9, 60).pagination.links).toMatchObject({ previous: '/api/tasks/?page=2&page_size=50', next: null });
  });

  test('keeps the other parameters as they were sent', () => {
    const { next } = page(1, 60, 'status=pending,running&page=1&page_size=50&search=%22a%20b%22').pagination.links;
    expect(next).toBe('/api/tasks/?status=pending,running&search=%22a%20b%22&page=2&page_size=50');
  });
});
