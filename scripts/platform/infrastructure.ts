import { type Broker, type BrokerOptions, findBroker } from './broker.ts';
import { findStore, type Store, type StoreOptions } from './store.ts';

/** What the services stand on. */
export interface Infrastructure extends AsyncDisposable {
  store: Store;
  broker: Broker;
}

/** Find or start store and broker, both at once. When one fails the other is stopped again. */
export async function startInfrastructure(options: StoreOptions & BrokerOptions): Promise<Infrastructure> {
  await using starting = new AsyncDisposableStack();
  const [store, broker] = await Promise.allSettled([findStore(options), findBroker(options)]);
  if (store.status === 'fulfilled') starting.use(store.value);
  if (broker.status === 'fulfilled') starting.use(broker.value);
  if (store.status === 'rejected') throw store.reason;
  if (broker.status === 'rejected') throw broker.reason;
  const running = starting.move();
  return { store: store.value, broker: broker.value, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
