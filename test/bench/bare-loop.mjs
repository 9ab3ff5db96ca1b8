// The bare side of the benchmarks: a Node process that speaks the raw CNI protocol over child_process.spawn and does
// nothing else. It takes { requests: [{ verb, conflist, containerId, netns, ifname, prevResult }] } as a message, runs them
// all at once, and answers { ms, results }.
import { spawn } from 'node:child_process';

const cniPath = '/opt/cni/bin:/usr/lib/cni';
const [, , pluginDir, labelSocket] = process.argv;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** containerId → labels of its endpoint, where cilium-cni is run */
const labels = new Map();
if (labelSocket) (await import('./label-proxy.mjs')).startLabelProxy(labelSocket, (containerId) => labels.get(containerId));

process.on('message', async ({ requests }) => {
  for (const { containerId, labels: own } of requests) labels.set(containerId, own);
  const begin = performance.now();
  try {
    const results = await Promise.all(requests.map((request) => (request.verb === 'ADD' ? add(request) : del(request))));
    process.send({ ms: performance.now() - begin, results });
  } catch (error) {
    process.send({ error: String(error) });
  }
});
process.on('disconnect', () => process.exit());

async function add(request) {
  let result;
  for (const plugin of request.conflist.plugins) result = JSON.parse(await run(plugin, request, result));
  return result;
}

async function del(request) {
  for (const plugin of request.conflist.plugins.toReversed()) await run(plugin, request, request.prevResult);
}

function run(plugin, { verb, conflist, containerId, netns, ifname }, prevResult) {
  return new Promise((resolve, reject) => {
    const env = {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: ifname,
      CNI_PATH: cniPath,
      PATH,
      ...(labelSocket && { CILIUM_SOCK: labelSocket }),
    };
    const child = spawn(`${pluginDir}/${plugin.type}`, [], { env });
    let stdout = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(stdout) : reject(new Error(`${plugin.type} ${verb}: ${stdout}`))));
    child.stdin.end(JSON.stringify({ ...plugin, name: conflist.name, cniVersion: conflist.cniVersion, prevResult }));
  });
}
