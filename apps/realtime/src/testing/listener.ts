import { anonymous } from '@claude-cli/shared/caller';
import type { Message } from '../messages/encoded.ts';
import { Encoded } from '../messages/encoded.ts';
import type { History, Page } from '../streams/history.ts';
import type { Item, Position } from '../streams/item.ts';
import type { Subscriber } from '../subscriptions/hub.ts';

/** A subscriber without any transport. */
export class TestSubscriber implements Subscriber {
  readonly origin = { caller: anonymous, requestId: 'test' };
  closed = false;
  readonly heard: Message[] = [];
  /** Set to make it slow: how it waits. */
  wait: () => Promise<void> = async () => {};

  send({ message }: Encoded): void {
    this.heard.push(message);
  }

  drained(): Promise<void> {
    return this.wait();
  }

  /** Numbers of what it heard. */
  get numbers(): (number | string)[] {
    return this.heard.map(({ type, seq }) => seq ?? type);
  }
}

/** An item of a stream that is heard under topics. */
export function item(seq: number, { epoch = 'e', topics = ['topic'], count = 1 } = {}): Item {
  const end = seq + count - 1;
  const messages = Array.from({ length: count }, (_, index) => new Encoded({ type: 'told', seq: seq + index, epoch }));
  return { epoch, seq, end, topics, event: { type: 'queue.resumed' } as Item['event'], messages: () => messages };
}

/** A history that a test writes. */
export class TestHistory implements History {
  lagMs = 0;
  tellsGaps = false;
  epoch = 'e';
  items: Item[] = [];
  pageSize = 10;
  reads = 0;
  /** Set to fail or to wait before each reading. */
  before: () => Promise<void> = async () => {};

  async head(): Promise<Position> {
    await this.before();
    return { epoch: this.epoch, seq: this.items.at(-1)?.end ?? 0 };
  }

  async after({ epoch, seq }: Position): Promise<Page> {
    this.reads += 1;
    await this.before();
    const following = this.items.filter((each) => each.epoch === epoch && each.end > seq);
    return { items: following.slice(0, this.pageSize), complete: following.length <= this.pageSize };
  }
}
