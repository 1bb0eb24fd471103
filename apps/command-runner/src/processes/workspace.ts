import { createHash } from 'node:crypto';
import { lchown, mkdir, realpath, stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { invalidField } from '@claude-cli/shared/errors';
import { isId } from '@claude-cli/shared/ids';

/** Who owns directories. */
export interface Owner {
  uid: number;
  gid: number;
}

/** The directory below which every command runs. */
export class Workspace {
  /** Without symbolic links. */
  readonly root: string;

  /** Tells workspaces of one machine apart, and with them the installations that they belong to. */
  readonly id: string;

  readonly #owner: Owner | undefined;

  private constructor(root: string, owner: Owner | undefined) {
    this.root = root;
    this.#owner = owner;
    this.id = createHash('sha256').update(root).digest('hex').slice(0, 12);
  }

  /** Make the root when it is missing. @param owner who shall own it and what is made in it; else this service */
  static async open(root: string, owner?: Owner): Promise<Workspace> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    const workspace = new Workspace(await realpath(root), owner);
    await workspace.#give(workspace.root);
    return workspace;
  }

  /**
   * An existing directory, for a direct command. Where the path really leads decides, so neither `..` nor a symbolic link
   * gets out; the answer is the same whether something exists outside or not.
   * @throws PlatformError VALIDATION_ERROR on working_directory
   */
  async existing(requested = '.'): Promise<string> {
    const real = await realpath(resolve(this.root, requested)).catch(() => undefined);
    const inside = real !== undefined && (real === this.root || real.startsWith(this.root + sep));
    if (!inside || !(await stat(real)).isDirectory()) {
      throw invalidField('working_directory', 'must be an existing directory inside the workspace');
    }
    return real;
  }

  /** Where the directory of a project is, or would be. */
  pathOf(projectId: string): string {
    if (!isId(projectId)) throw new Error('a project without an id has no directory');
    return join(this.root, projectId);
  }

  /** The directory of a project, made on demand. */
  async ofProject(projectId: string): Promise<string> {
    const path = this.pathOf(projectId);
    const found = await realpath(path).catch(() => undefined);
    if (found === path) return path;
    if (await mkdir(path, { recursive: true, mode: 0o700 })) await this.#give(path);
    // A command may have put a link in its place.
    if ((await realpath(path)) !== path) throw new Error('the directory of the project leads outside');
    return path;
  }

  /** Not through a link: a command may have put one there in the meantime. */
  async #give(path: string): Promise<void> {
    if (this.#owner) await lchown(path, this.#owner.uid, this.#owner.gid);
  }
}
