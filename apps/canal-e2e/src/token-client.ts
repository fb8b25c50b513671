/** Requests to the API server with a service account's token, sent from the node that the token was taken on. */
import type { AgentRequest } from './agent-requests.ts';
import type { World } from './world.ts';

export interface TokenClient {
  /** In the order of the requests. */
  send(token: string, requests: readonly AgentRequest[]): Promise<readonly Answer[]>;
}

export interface Answer {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Beginning of the body, or its message where it is a Status object. */
  readonly text: string;
}

const FIELD = '\x1f';
const RECORD = '\x1e';
const SHOWN_BYTES = 600;

/** Arguments: server, CA file, token, then one a request: method, path, content type, body, header, header. */
const SCRIPT = `server="$1"; ca="$2"; token="$3"; shift 3
for request; do
  printf '%s' "$request" | {
    IFS=$(printf '\\037') read -r method path type body header1 header2
    status=$(curl -sS --max-time 10 --cacert "$ca" -X "$method" -H "Authorization: Bearer $token" -H "Content-Type: $type" \\
      \${header1:+-H "$header1"} \${header2:+-H "$header2"} \${body:+-d "$body"} \\
      -o /tmp/e2e-answer.$$ -w '%{http_code}' "$server$path" 2>&1)
    printf '%s\\037' "$status"
    head -c ${SHOWN_BYTES} /tmp/e2e-answer.$$ 2>/dev/null; rm -f /tmp/e2e-answer.$$
    printf '\\036'
  }
done`;

export async function openTokenClient(world: World, node: string, podUid: string): Promise<TokenClient> {
  const exec = world.nodeExec;
  if (exec === undefined) throw new Error("the scenario must name its need: needs: ['node-exec']");
  const server = await serverAddress(world);
  const volume = await projectedVolume(exec, node, podUid);
  return {
    async send(token, requests) {
      const args = requests.map(encodeRequest);
      const command = ['sh', '-c', SCRIPT, 'requests', server, `${volume}/ca.crt`, token, ...args];
      const { stdout } = await exec(node, command, { timeoutMs: 120_000 });
      const answers = stdout.split(RECORD).slice(0, -1);
      if (answers.length !== requests.length) throw new Error(`${requests.length} requests, ${answers.length} answers`);
      return answers.map(parseAnswer);
    },
  };
}

/** The token that a running pod has, as the kubelet wrote it on the node. */
export async function tokenOfPod(world: World, node: string, podUid: string): Promise<string> {
  const exec = world.nodeExec;
  if (exec === undefined) throw new Error("the scenario must name its need: needs: ['node-exec']");
  const { stdout } = await exec(node, ['cat', `${await projectedVolume(exec, node, podUid)}/token`]);
  return stdout.trim();
}

async function projectedVolume(exec: NonNullable<World['nodeExec']>, node: string, podUid: string): Promise<string> {
  const volumes = `/var/lib/kubelet/pods/${podUid}/volumes/kubernetes.io~projected`;
  const { stdout } = await exec(node, ['sh', '-c', `ls -d ${volumes}/*/token`]);
  return stdout.trim().replace(/\/token$/u, '');
}

/** Of the server itself, beside the Service: kube-proxy has no part in this. */
async function serverAddress(world: World): Promise<string> {
  const { stdout } = await world.kubectl(['get', 'endpoints', 'kubernetes', '-n', 'default', '-o', 'json']);
  const { subsets } = JSON.parse(stdout) as {
    readonly subsets: readonly {
      readonly addresses: readonly { readonly ip: string }[];
      readonly ports: readonly { readonly port: number }[];
    }[];
  };
  const ip = subsets[0]?.addresses[0]?.ip ?? '';
  return `https://${ip.includes(':') ? `[${ip}]` : ip}:${subsets[0]?.ports[0]?.port ?? 443}`;
}

function encodeRequest({ method, path, contentType = 'application/json', body, headers = [] }: AgentRequest): string {
  const query = method === 'GET' ? '' : `${path.includes('?') ? '&' : '?'}dryRun=All`;
  const text = body === undefined ? '' : JSON.stringify(body);
  return [method, path + query, contentType, text, headers[0] ?? '', headers[1] ?? ''].join(FIELD);
}

function parseAnswer(record: string): Answer {
  const [status = '0', text = ''] = record.split(FIELD);
  const message = /"message":\s*"((?:[^"\\]|\\.)*)"/u.exec(text)?.[1];
  return { status: Number(status.slice(-3)), text: message ?? text };
}
