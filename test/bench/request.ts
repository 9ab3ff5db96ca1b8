import { once } from 'node:events';
import { connect } from 'node:net';

/** POSTs JSON over a unix socket with as little of a client as there can be (a hook's is curl), so that what is measured is
 *  the service. Waits for the end of the connection. @throws unless the answer is 200 */
export async function post(socketPath: string, path: string, body: object): Promise<void> {
  const text = JSON.stringify(body);
  const socket = connect(socketPath);
  const head = ['Host: localhost', 'Connection: close', 'Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`];
  socket.write(`POST ${path} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n${text}`);
  let answer = '';
  socket.on('data', (part) => {
    answer += part;
  });
  await once(socket, 'end');
  if (!answer.startsWith('HTTP/1.1 200 ')) throw new Error(`${path} was refused: ${answer}`);
}
