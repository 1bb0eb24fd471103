import { afterAll, beforeAll, describe } from '@jest/globals';
import { commands } from './reference/commands.ts';
import { projects } from './reference/projects.ts';
import { queues } from './reference/queues.ts';
import { Reference } from './reference/reference.ts';
import { sessions } from './reference/sessions.ts';
import { system } from './reference/system.ts';
import { tasks } from './reference/tasks.ts';

// The API reference from its first request to its last one, with its own bodies. The answers must have at least the fields
// and the kinds of values that it shows.

let started: Reference;
const reference = () => started;
beforeAll(async () => {
  started = await Reference.start();
});
afterAll(async () => started?.[Symbol.asyncDispose]());

describe('tasks', () => tasks(reference));
describe('projects', () => projects(reference));
describe('commands', () => commands(reference));
describe('queues', () => queues(reference));
describe('sessions', () => sessions(reference));
describe('the system', () => system(reference));
