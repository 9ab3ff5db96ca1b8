import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from '../../src/model/errors.ts';
import { type Calls, fixedManager } from '../api/fixed-manager.ts';
import { startServer, type TestServer } from '../api/server.ts';
import { type Pveproxy, startPveproxy } from '../support/proxmox/pveproxy.ts';

// From a request to Proxmox's API through the real shim, bridge and socket to the service's own server and back.

describe('the bridge, with the service behind it', () => {
  let service: TestServer;
  let pve: Pveproxy;
  before(async () => {
    const calls: Calls = [];
    const network = async (name: string) => {
      throw failure('NETWORK_UNKNOWN', `cannot show network "${name}": no file in the root’s networks/ has this name`, { network: name });
    };
    service = await startServer({ manager: fixedManager(calls, { network }) });
    service.calls = calls;
    const panel = join(service.folder, 'panel.js');
    writeFileSync(panel, '/* the panel */');
    pve = await startPveproxy({
      socket: service.socketPath,
      panel,
      users: {
        'op@pve': { '/vms/101': ['VM.Audit', 'VM.Config.Network'], '/sdn/zones/cni/web': ['SDN.Use'] },
        'nobody@pve': {},
      },
    });
  });
  after(async () => {
    await pve?.stop();
    await service?.close();
  });

  it('answers what the service answers, as Proxmox’s data', async () => {
    const { status, body } = await pve.api('root@pam', 'GET', 'nodes/pve1/lxc/101/cni/status');
    assert.equal(status, 200);
    assert.equal(body.data.vmid, 101);
    assert.equal(body.data.running, true);
    assert.deepEqual(body.data.interfaces[0].addresses, ['10.20.0.10', 'fd00:20::a']);
  });

  it('makes an attach a task whose log shows the service’s words, and names user and task to the service', async () => {
    const answer = await pve.api('op@pve', 'POST', 'nodes/pve1/lxc/101/cni/attach', { ifname: 'eth1', network: 'web', defaultRoute: '1' });
    assert.equal(answer.status, 200, answer.text);
    const upid = answer.body.data;
    assert.match(upid, /^UPID:pve1:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:cniattach:101:op@pve:$/);
    const { exitstatus, lines } = await pve.task(upid);
    assert.equal(exitstatus, 'OK', lines.join('\n'));
    const call = service.calls.findLast(([name]) => name === 'attach');
    assert.ok(call);
    const [, vmid, body, requester] = call;
    assert.equal(vmid, 101);
    assert.deepEqual(body, { interface: { name: 'eth1', network: 'web', address: 'auto', defaultRoute: true } });
    assert.deepEqual(requester, { door: 'api', user: 'op@pve', upid });
  });

  it('puts the panel’s script into the page once, right after Proxmox’s own', async () => {
    const { text } = await pve.get('/', 'root@pam');
    const scripts = [...text.matchAll(/<script[^>]*src="([^"?]*)/g)].map(([, src]) => src);
    assert.equal(scripts[scripts.indexOf('/pve2/js/pvemanagerlib.js') + 1], '/pve2/js/pve-cni.js');
    assert.equal(scripts.filter((src) => src === '/pve2/js/pve-cni.js').length, 1);
    assert.match(text, /pve-cni\.js\?ver=[0-9][^"]*"/);
    assert.equal((await pve.get('/pve2/js/pve-cni.js')).text, '/* the panel */');
  });

  it('refuses who is not logged in, and who may not look', async () => {
    assert.equal((await pve.api(null, 'GET', 'nodes/pve1/cni/status')).status, 401);
    const refused = await pve.api('nobody@pve', 'GET', 'nodes/pve1/cni/status');
    assert.equal(refused.status, 403);
    assert.match(refused.reason, /Permission check failed \(\/nodes\/pve1, Sys\.Audit\)/);
  });

  it('gives the service’s refusal with its status, its message and its code, to the web interface with success 0', async () => {
    const { status, reason } = await pve.api('root@pam', 'GET', 'nodes/pve1/cni/networks/nowhere');
    assert.equal(status, 404);
    assert.match(reason, /\[NETWORK_UNKNOWN\]/);
    const { status: always, body } = await pve.extjs('root@pam', 'GET', 'nodes/pve1/cni/networks/nowhere');
    assert.equal(always, 200);
    assert.equal(body.success, 0);
    assert.equal(Number(body.status), 404); // text where JSON is compiled, as on a node
    assert.match(body.message, /nowhere.*\[NETWORK_UNKNOWN\]/);
  });
});
