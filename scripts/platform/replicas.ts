import { Balancer } from './balancer.ts';
import { type Addresses, assignAddresses, type ServiceName } from './services.ts';

/** Where the replicas of all apps listen, and the ways to those of the doors. */
export interface Places extends AsyncDisposable {
  /** One for each replica, at least one. */
  addresses: readonly [Addresses, ...Addresses[]];
  /** Port on which a door is reached. */
  portOf(door: 'gateway' | 'realtime'): number;
  /** See Replica. @param place of the replica, from 0 */
  setInService(service: ServiceName, place: number, inService: boolean): void;
}

/**
 * Find places for so many replicas of each app; several are behind balancers.
 * @param port of the public door; 0 takes a free one
 */
export async function placeReplicas(count: number, host: string, port: number): Promise<Places> {
  if (count === 1) {
    const only = await assignAddresses(port);
    return { addresses: [only], portOf: (door) => only[door], setInService() {}, async [Symbol.asyncDispose]() {} };
  }
  await using starting = new AsyncDisposableStack();
  const first = await assignAddresses(0);
  const addresses: [Addresses, ...Addresses[]] = [first];
  while (addresses.length < count) addresses.push(await assignAddresses(0));
  const portsOf = (door: 'gateway' | 'realtime') => addresses.map((each) => each[door]);
  const doors: Partial<Record<ServiceName, Balancer>> = {
    gateway: starting.use(await Balancer.to(portsOf('gateway'), host, port)),
    realtime: starting.use(await Balancer.to(portsOf('realtime'), '127.0.0.1', 0)),
  };
  const running = starting.move();
  return {
    addresses,
    portOf: (door) => doors[door]?.port ?? first[door],
    setInService: (service, place, inService) => {
      const own = service === 'gateway' || service === 'realtime' ? addresses[place]?.[service] : undefined;
      if (own !== undefined) doors[service]?.setInService(own, inService);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
