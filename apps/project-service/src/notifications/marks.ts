import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { type Connection, type Model, Schema } from 'mongoose';
import type { Context } from '../context.ts';
import { everybody } from './notification.ts';

/** What a user has done with notifications for everybody. */
export interface Marks {
  /** Id of the user. */
  _id: string;
  /** Ids of those that were read, and of those that were dismissed. */
  read: string[];
  dismissed: string[];
}

/** Marks of all users. */
export type MarksModel = Model<Marks>;

/** Ids that a list may hold before those of notifications that are gone are dropped from it: more than are kept. */
export const tidiedAfter = 250;

const schema = new Schema<Marks>(
  {
    _id: { type: String, required: true },
    read: { type: [String], default: [] },
    dismissed: { type: [String], default: [] },
  },
  { collection: 'notification_marks', versionKey: false },
);

/** The marks of a database. */
export function marksModel(connection: Connection): MarksModel {
  return connection.model<Marks>('NotificationMarks', schema);
}

/** Mark notifications for everybody as read, or as dismissed, by one user. Marking twice is harmless. */
export async function markForUser(
  ctx: Context,
  user_id: string,
  mark: 'read' | 'dismissed',
  ids: readonly string[],
): Promise<void> {
  const add = () =>
    ctx.notificationMarks
      .findOneAndUpdate(
        { _id: user_id },
        { $addToSet: { [mark]: { $each: ids } } },
        { upsert: true, returnDocument: 'after' },
      )
      .lean();
  const marks = await add().catch((error) => {
    // Another request made the document at the same moment.
    if (isDuplicateKey(error)) return add();
    throw error;
  });
  if (marks && marks[mark].length > tidiedAfter) await tidy(ctx, marks);
}

/** What there is, is read after the marks: so nothing that was just marked is taken for gone. */
async function tidy(ctx: Context, { _id, read, dismissed }: Marks): Promise<void> {
  const there = await ctx.notifications.find({ audience: everybody }, { _id: 1 }).lean();
  const ids = new Set(there.map((notification) => notification._id));
  const gone = [...new Set([...read, ...dismissed])].filter((id) => !ids.has(id));
  await ctx.notificationMarks.updateOne({ _id }, { $pull: { read: { $in: gone }, dismissed: { $in: gone } } });
}
