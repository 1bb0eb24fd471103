import { newId } from '@claude-cli/shared/ids';
import { describe, expect, test } from '@jest/globals';
import { maxMembers, memberOf, withMember, withoutMember, withRole } from './members.ts';
import type { Member } from './project.ts';

const project = (...members: Member[]) => ({ _id: 'project', members });
const owner: Member = { user_id: 'owner', role: 'owner' };
const viewer: Member = { user_id: 'viewer', role: 'viewer' };

describe('rules of members', () => {
  test('a member is added once', () => {
    expect(withMember(project(owner), viewer)).toEqual([owner, viewer]);
    const again = expect.objectContaining({ code: 'RESOURCE_ALREADY_EXISTS' });
    expect(() => withMember(project(owner, viewer), { ...viewer, role: 'owner' })).toThrow(again);
  });

  test('a project has a bounded number of members', () => {
    const many = Array.from({ length: maxMembers - 1 }, (): Member => ({ user_id: newId(), role: 'viewer' }));
    const full = withMember(project(...many), owner);
    expect(full).toHaveLength(maxMembers);
    const refusal = expect.objectContaining({ code: 'RESOURCE_LIMIT_EXCEEDED', details: { limit: maxMembers } });
    expect(() => withMember(project(...full), viewer)).toThrow(refusal);
  });

  test('the last owner neither loses the role nor leaves', () => {
    const last = expect.objectContaining({ code: 'RESOURCE_CONFLICT' });
    expect(() => withRole(project(owner, viewer), { user_id: 'owner', role: 'editor' })).toThrow(last);
    expect(() => withoutMember(project(owner, viewer), 'owner')).toThrow(last);
    expect(withoutMember(project(owner, viewer), 'viewer')).toEqual([owner]);
    const second: Member = { user_id: 'second', role: 'owner' };
    expect(withoutMember(project(owner, second), 'owner')).toEqual([second]);
    expect(withRole(project(owner, second), { user_id: 'owner', role: 'viewer' })).toEqual([
      { user_id: 'owner', role: 'viewer' },
      second,
    ]);
  });

  test('a role changes for the member named only', () => {
    expect(withRole(project(owner, viewer), { user_id: 'viewer', role: 'owner' })).toEqual([
      owner,
      { user_id: 'viewer', role: 'owner' },
    ]);
  });

  test('who is no member is not found', () => {
    expect(memberOf(project(owner), 'owner')).toBe(owner);
    expect(() => memberOf(project(owner), 'viewer')).toThrow(expect.objectContaining({ code: 'RESOURCE_NOT_FOUND' }));
  });
});
