import { once } from 'node:events';
import { connect } from 'node:net';

/** GETs an answer the same way. @throws unless the status is the expected one */
export async function get(socketPath: string, path: string, status = 200): Promise<string> {
  const socket = connect(socketPath);
  socket.setEncoding('utf8').write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  let answer = '';
  socket.on('data', (part) => {
    answer += part;
  });
  await once(socket, 'end');
  if (!answer.startsWith(`HTTP/1.1 ${status} `)) throw new Error(`${path} was answered with ${answer.slice(0, 200)}`);
  return answer.slice(answer.indexOf('\r\n\r\n') + 4);
}

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
