import type { Connection } from 'mongoose';

/** What a program asks of its database, command by command. */
export interface CommandLog extends Disposable {
  /** Name and collection of each command, in order: "update tasks". */
  readonly commands: readonly string[];
}

/** The address of a store whose connections tell their commands. */
export function monitored(uri: string): string {
  const address = new URL(uri);
  address.searchParams.set('monitorCommands', 'true');
  return address.toString();
}

/** Note the commands of a connection from now on. It must have been opened by an address that is {@link monitored}. */
export function logCommands(connection: Connection): CommandLog {
  const commands: string[] = [];
  const client = connection.getClient();
  const note = ({ commandName, command }: { commandName: string; command: Record<string, unknown> }) => {
    commands.push(`${commandName} ${command[commandName]}`);
  };
  client.on('commandStarted', note);
  return { commands, [Symbol.dispose]: () => void client.off('commandStarted', note) };
}
