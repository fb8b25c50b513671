/** What the parser of HTTP refuses: there is no request yet, so the answer is written by hand. */
import { randomUUID } from 'node:crypto';
import { ProblemError } from '../handler.ts';
import { ANSWER_HEADERS } from '../http/answer-headers.ts';
import { problemAnswer } from '../http/problem-answer.ts';

interface ErrorSocket {
  readonly destroyed: boolean;
  readonly writable: boolean;
  end(text: string): unknown;
  destroy(): unknown;
}

export function answerClientError(error: Error, socket: ErrorSocket): void {
  const code = 'code' in error ? String(error.code) : '';
  if (socket.destroyed) return;
  if (!socket.writable || !code.startsWith('HPE_')) {
    socket.destroy();
    return;
  }
  socket.end(clientErrorText(code));
}

function clientErrorText(code: string): string {
  const why = code === 'HPE_HEADER_OVERFLOW' ? 'the head of the request is too long' : 'this is no request of HTTP/1.1';
  const id = randomUUID();
  const { text, headers } = problemAnswer(new ProblemError('bad-request', why), id);
  const lines = Object.entries({
    ...ANSWER_HEADERS,
    ...headers,
    'content-length': Buffer.byteLength(text),
    'x-request-id': id,
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 400 Bad Request\r\n${lines.join('\r\n')}\r\n\r\n${text}`;
}
