import { commentOf } from '../contract/comments.ts';
import type { Contract } from '../contract/contract.ts';
import { acceptedFields, type Endpoint } from '../contract/endpoints.ts';
import { Examples } from './examples.ts';
import { summaryOf, tagOf } from './operation.ts';
import { type Step, tour } from './tour.ts';

/** A parameter of a request. */
export interface Parameter {
  name: string;
  /** May hold {{variables}}. */
  value: string;
  description: string;
  /** Whether it is sent unless somebody says otherwise. */
  isSent: boolean;
}

/** A request of a collection. Texts in it may hold {{variables}}; {{random}} is a new UUID each time. */
export interface CollectionRequest {
  /** Unique in the collection. */
  id: string;
  name: string;
  description: string;
  method: string;
  /** "/api/tasks/{task_id}" */
  path: string;
  pathParameters: readonly Parameter[];
  query: readonly Parameter[];
  /** JSON to send; undefined for none. */
  body: unknown;
  /** The variable that holds the token to send; undefined where none is needed. */
  token: string | undefined;
  /** Variables that the answer sets: from the name of each to the path in `data` that it takes. */
  saves: Readonly<Record<string, string>>;
}

/** The requests of one tag, in an order in which they can be run. */
export interface Folder {
  name: string;
  description: string;
  requests: readonly CollectionRequest[];
}

/** The whole API as requests to send, from which files for API clients are written. */
export interface Collection {
  name: string;
  description: string;
  folders: readonly Folder[];
  /** Every variable with what it holds before anything has run. */
  variables: Readonly<Record<string, string>>;
}

/** The variable that the requests of a collection send as their token. */
export const tokenVariable = 'token';

const description =
  `Every endpoint of the Claude CLI Platform, in an order in which they can be run from top to bottom. Set base_url,
username and password first, then send "Sign in": it stores the token that the others send. Whatever creates something stores
its id for the requests after it.`.replaceAll('\n', ' ');

/** The endpoints as requests, with the examples of the contract. */
export function collectionOf(contract: Contract, endpoints: readonly Endpoint[]): Collection {
  const examples = new Examples(contract);
  const saved = Object.fromEntries(tour.flatMap(({ saves }) => Object.keys(saves ?? {})).map((name) => [name, '']));
  const variables = { base_url: 'http://localhost:8000', username: 'admin', password: '', ...saved };
  const folders = Map.groupBy(stepsOf(endpoints), ({ folder, endpoint }) => folder ?? tagOf(endpoint));
  const tags = new Map(endpoints.map((endpoint) => [tagOf(endpoint), commentOf(endpoint.service)]));
  return {
    name: 'Claude CLI Platform',
    description,
    folders: [...folders].map(([name, steps]) => ({
      name,
      description: tags.get(name) ?? '',
      requests: steps.map((step) => requestOf(step, { contract, examples, variables })),
    })),
    variables,
  };
}

interface PlannedStep extends Step {
  endpoint: Endpoint;
  id: string;
}

/** The steps of the tour, then those endpoints that it leaves out. */
function stepsOf(endpoints: readonly Endpoint[]): PlannedStep[] {
  const byName = new Map(endpoints.map((endpoint) => [endpoint.name, endpoint]));
  const named = new Set(tour.map(({ of }) => of));
  const rest = endpoints.filter(({ name }) => !named.has(name)).map(({ name }): Step => ({ of: name }));
  const times = new Map<string, number>();
  return [...tour, ...rest].flatMap((step) => {
    const endpoint = byName.get(step.of);
    if (!endpoint) return [];
    const time = (times.get(step.of) ?? 0) + 1;
    times.set(step.of, time);
    return [{ ...step, endpoint, id: time === 1 ? endpoint.rpc : `${endpoint.rpc}${time}` }];
  });
}

interface Means {
  contract: Contract;
  examples: Examples;
  variables: object;
}

function requestOf(step: PlannedStep, { contract, examples, variables }: Means): CollectionRequest {
  const { endpoint, id } = step;
  const example = examples.request(endpoint);
  const inPath = new Set(endpoint.pathParameters);
  const fields = acceptedFields(endpoint.request);
  const body = example.body && withVariables({ ...example.body, ...step.body }, variables);
  return {
    id,
    name: step.name ?? summaryOf(endpoint),
    description: [endpoint.comment, step.note].filter(Boolean).join('\n\n'),
    method: endpoint.method,
    path: endpoint.path,
    pathParameters: fields
      .filter(({ name }) => inPath.has(name))
      .map((field) => ({
        name: field.name,
        value: step.path?.[field.name] ?? `{{${field.name}}}`,
        description: commentOf(field),
        isSent: true,
      })),
    query: fields
      .filter(({ name }) => endpoint.input === 'query' && !inPath.has(name))
      .map((field) => ({
        name: field.name,
        value: String(withVariables({ [field.name]: examples.input(field) }, variables)[field.name]),
        description: commentOf(field),
        isSent: contract.rulesOf(field).required || (step.query ?? []).includes(field.name),
      })),
    body,
    token: endpoint.access === 'everyone' ? undefined : (step.token ?? tokenVariable),
    saves: step.saves ?? {},
  };
}

/** Fields that a variable is named after take it: project_id becomes {{project_id}}, task_ids a list of {{task_id}}. */
function withVariables(body: Record<string, unknown>, variables: object): Record<string, unknown> {
  const entries = Object.entries(body).flatMap(([name, value]): [string, unknown][] => {
    // The tour leaves out a field by null.
    if (value === null) return [];
    if (typeof value === 'string' && value.includes('{{')) return [[name, value]];
    if (/_id$/.test(name) && name in variables) return [[name, `{{${name}}}`]];
    const one = name.replace(/_ids$/, '_id');
    return [[name, one !== name && one in variables ? [`{{${one}}}`] : value]];
  });
  return Object.fromEntries(entries);
}
