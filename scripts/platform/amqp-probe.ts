import { connect } from 'node:net';

/** What answers at an address that should be a broker. */
export type ProbeResult = 'ready' | 'refused' | 'not-amqp' | 'login-refused';

const protocolHeader = Buffer.from('AMQP\0\0\x09\x01', 'latin1');
const frameEnd = 0xce;
const connectionClass = 10;

/**
 * Dial a broker, see that it greets as AMQP 0-9-1 does, and log in. Written out here, in forty lines of protocol, because
 * the launcher has to tell a broker from something else on its port without waiting for a client library's timeouts.
 */
export async function probeAmqp(url: string, timeoutMs = 5_000): Promise<ProbeResult> {
  const { hostname, port, username, password } = new URL(url);
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || 5672 });
  const { promise, resolve } = Promise.withResolvers<ProbeResult>();
  let reached: ProbeResult = 'refused';
  let received = Buffer.alloc(0);
  socket.on('connect', () => {
    reached = 'not-amqp';
    socket.write(protocolHeader);
  });
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    for (let frame = takeFrame(); frame; frame = takeFrame()) onMethod(frame.readUInt16BE(0), frame.readUInt16BE(2));
  });
  socket.on('error', () => resolve(reached));
  // RabbitMQ answers a wrong password by closing, after a pause, with or without a reason.
  socket.on('close', () => resolve(reached));
  const timer = setTimeout(() => resolve(reached), timeoutMs);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }

  function takeFrame(): Buffer | undefined {
    if (received.length < 7) return undefined;
    const size = received.readUInt32BE(3);
    if (received[0] !== 1 || size > 131_072) {
      socket.destroy();
      return undefined;
    }
    if (received.length < size + 8) return undefined;
    const payload = received.subarray(7, 7 + size);
    received = received.subarray(size + 8);
    return payload;
  }

  function onMethod(classId: number, methodId: number): void {
    if (classId !== connectionClass) return;
    if (methodId === 10) {
      reached = 'login-refused';
      socket.write(startOk(decodeURIComponent(username) || 'guest', decodeURIComponent(password) || 'guest'));
    } else if (methodId === 30) {
      resolve('ready');
    }
  }
}

function startOk(user: string, password: string): Buffer {
  const response = Buffer.from(`\0${user}\0${password}`, 'utf8');
  const payload = Buffer.concat([
    uint16(connectionClass),
    uint16(11),
    uint32(0),
    shortString('PLAIN'),
    uint32(response.length),
    response,
    shortString('en_US'),
  ]);
  return Buffer.concat([Buffer.from([1, 0, 0]), uint32(payload.length), payload, Buffer.from([frameEnd])]);
}

function shortString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function uint16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(value);
  return buffer;
}

function uint32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(value);
  return buffer;
}
