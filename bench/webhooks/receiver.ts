// Usage: fork(this file); sends its URL. Answers every POST with 204; sends how many it has answered whenever it is asked.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

let received = 0;
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    received++;
    response.writeHead(204).end();
  });
});
process.on('message', () => process.send?.(received));
process.on('disconnect', () => process.exit(0));
server.listen(0, '127.0.0.1', () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`));
