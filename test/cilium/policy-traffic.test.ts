import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerPolicyView, PolicyReceipt, PolicyView } from '../../src/model/policy-api.ts';
import type { Container } from '../support/lxc.ts';
import { defaultDeny } from '../support/policies.ts';
import { until } from '../support/until.ts';
import { gateway } from './lab.ts';
import { reaches, useCilium } from './rig.ts';

const files = {
  'networks/pods.yaml': 'type: cilium\n',
  'networks/sticky.yaml': 'type: cilium\nsubnets: [{ cidr: 10.240.0.0/24 }]\nnat: true\n',
  'networks/lan.yaml': 'type: bridge\nsubnets: [{ cidr: 10.77.0.0/24, gateway: 10.77.0.1 }]\n',
};

describe('policies on real containers', () => {
  const rig = useCilium({ files });

  const apply = async (policy: object | string): Promise<PolicyReceipt> => {
    const text = typeof policy === 'string' ? policy : JSON.stringify(policy);
    const { status, body } = await rig.daemon.api('POST', '/v1/policies', { text });
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const cnp = (name: string, spec: object) => ({ apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name }, spec });
  const labelled = (label: string, file: Record<string, unknown> = {}) => rig.container({ file: { labels: { app: label }, ...file } });
  const policyOf = async ({ vmid }: Container): Promise<ContainerPolicyView['interfaces'][number]> => {
    const { body } = await rig.daemon.api('GET', `/v1/containers/${vmid}/policy`);
    return (body as ContainerPolicyView).interfaces[0] as ContainerPolicyView['interfaces'][number];
  };
  const fromHost = async (address: string, seconds = 2) =>
    rig.node.run('ping', '-c', '1', '-w', String(seconds), '-W', '1', address).then(
      () => true,
      () => false,
    );
  const fromWorld = async (address: string, seconds = 2) =>
    rig.lab.lan('ping', '-c', '1', '-w', String(seconds), '-W', '1', address).then(
      () => true,
      () => false,
    );
  /** a server that answers every connection, until the container ends */
  const listen = async ({ exec }: Container, port: number) => {
    await exec(['sh', '-c', `while true; do echo hello | nc -l -p ${port} >/dev/null 2>&1; done </dev/null >/dev/null 2>&1 &`]);
  };
  const connects = ({ exec }: Container, address: string, port: number) =>
    exec(['sh', '-c', `echo x | timeout 2 nc -w 2 ${address} ${port}`]).then(
      (text) => text.includes('hello'),
      () => false,
    );

  /** pings that a container has got */
  const echoesOf = async ({ exec }: Container): Promise<number> => {
    const lines = (await exec(['cat', '/proc/net/snmp'])).split('\n').filter((line) => line.startsWith('Icmp:'));
    const [names = [], values = []] = lines.map((line) => line.split(' '));
    return Number(values[names.indexOf('InEchos')]);
  };

  afterEach(async function () {
    this.timeout(60_000);
    const { body } = await rig.daemon.api('GET', '/v1/policies');
    for (const { name } of body as PolicyView[]) await rig.daemon.api('DELETE', `/v1/policies/${name}`);
    await until('the agent has no policy', async () => (await rig.node.agent.policies()).text === '[]', 20);
    assert.deepEqual(readdirSync(rig.node.paths.policies), []);
  });

  it('the example of the design: containers reach containers, the host and the world reach none', async () => {
    const [one, other] = [await rig.container(), await rig.container()];
    await one.start();
    await other.start();
    const address = await rig.address(one);
    await rig.lab.lan('ip', 'route', 'replace', '10.201.1.0/24', 'via', rig.node.address);
    assert.deepEqual([await fromHost(address), await fromWorld(address)], [true, true]);

    const receipt = await apply(defaultDeny);
    assert.equal(receipt.inForce, true, receipt.message);
    assert.deepEqual(receipt.policy?.containers.map(({ vmid, state }) => [vmid, state]).sort(), [
      [one.vmid, 'in-force'],
      [other.vmid, 'in-force'],
    ]);
    for (const { revision, since } of receipt.endpoints) assert.ok((revision ?? 0) >= (receipt.revision ?? 1) && since);
    assert.deepEqual([await reaches(other, address), await fromHost(address), await fromWorld(address)], [true, false, false]);
    // out, nothing is closed
    assert.equal(await reaches(one, gateway), true);

    const { body } = await rig.daemon.api('DELETE', '/v1/policies/default-deny');
    assert.equal((body as PolicyReceipt).inForce, true);
    assert.deepEqual([await fromHost(address), await fromWorld(address)], [true, true]);
  });

  it('the kernel’s map is shown with containers’ names, and is what the policies say', async () => {
    const [web, db, none] = [await labelled('web'), await labelled('db'), await labelled('none')];
    for (const one of [web, db, none]) await one.start();
    await apply(
      cnp('db', {
        endpointSelector: { matchLabels: { app: 'db' } },
        ingress: [
          { fromEndpoints: [{ matchLabels: { app: 'web' } }], toPorts: [{ ports: [{ port: 5432, protocol: 'TCP' }] }] },
          { fromEntities: ['host'] },
        ],
        egressDeny: [{ toCIDRSet: [{ cidr: '10.99.0.0/24', except: ['10.99.0.128/25'] }] }],
      }),
    );
    const address = await rig.address(db);
    await listen(db, 5432);
    await listen(db, 5433);
    await until('the server answers', () => connects(web, address, 5432), 10);
    assert.deepEqual(
      [await connects(none, address, 5432), await connects(web, address, 5433), await reaches(web, address, 2), await fromHost(address)],
      [false, false, false, true],
    );
    assert.equal(await reaches(db, gateway, 2), false);

    const view = await policyOf(db);
    assert.deepEqual(view.differences, []);
    assert.deepEqual(view.enforced, { ingress: true, egress: true });
    assert.deepEqual(view.policies, [{ name: 'db', directions: ['ingress', 'egress'] }]);
    const entry = view.entries?.find(({ ports }) => ports === '5432');
    assert.deepEqual(
      [entry?.direction, entry?.verdict, entry?.peer, entry?.protocol],
      ['ingress', 'allow', `container ${web.vmid}`, 'TCP'],
    );
    assert.ok((entry?.packets ?? 0) > 0);
    assert.ok(view.entries?.some(({ verdict, direction }) => verdict === 'deny' && direction === 'egress'));
    assert.deepEqual((await policyOf(web)).policies, []);
    assert.deepEqual((await policyOf(web)).differences, []);

    const { stdout, exitCode } = await rig.daemon.cli('policy', 'get', String(db.vmid));
    assert.equal(exitCode, 0, stdout);
    assert.match(stdout, new RegExp(`ingress +allow +container ${web.vmid} +TCP +5432`));
  });

  it('NetworkPolicy of Kubernetes is enforced: containers by label, ports, ranges', async () => {
    const [web, db, none] = [await labelled('web'), await labelled('db'), await labelled('none')];
    for (const one of [web, db, none]) await one.start();
    const { inForce, message } = await apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'db' },
      spec: {
        podSelector: { matchLabels: { app: 'db' } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 5432 }] }],
        egress: [{ to: [{ ipBlock: { cidr: '10.99.0.0/24', except: ['10.99.0.128/25'] } }] }],
      },
    });
    assert.equal(inForce, true, message);
    const address = await rig.address(db);
    await listen(db, 5432);
    await until('the server answers', () => connects(web, address, 5432), 10);
    assert.deepEqual(
      [
        await connects(none, address, 5432),
        await reaches(web, address, 2),
        await reaches(db, gateway),
        await reaches(db, await rig.address(web), 2),
      ],
      [false, false, true, false],
    );
    assert.deepEqual((await policyOf(db)).differences, []);
  });

  it('a range names whoever comes from the LAN to an address of ours: allowed, and denied', async () => {
    const target = await rig.container({ interfaces: [{ name: 'eth0', network: 'sticky' }] });
    await target.start();
    const address = await rig.address(target);
    // the agent's own rules would put the node's address in place of the sender's
    await rig.lab.lan('ip', 'route', 'add', '10.240.0.0/24', 'via', rig.node.address);
    const endpointSelector = { matchLabels: { type: 'container' } };
    await apply(cnp('from-lan', { endpointSelector, ingress: [{ fromCIDR: [`${gateway}/32`] }] }));
    assert.equal(await fromWorld(address, 5), true);
    assert.equal(await fromHost(address), false);
    await apply(
      cnp('from-lan', { endpointSelector, ingress: [{ fromEntities: ['world'] }], ingressDeny: [{ fromCIDR: [`${gateway}/32`] }] }),
    );
    assert.equal(await fromWorld(address), false);
    await rig.lab.lan('ip', 'route', 'del', '10.240.0.0/24');
  });

  it('C36 no packet reaches a container before the policy that denies it is in force', async () => {
    const address = '10.240.0.40';
    const target = await rig.container({ interfaces: [{ name: 'eth0', network: 'sticky', address: [address] }] });
    // from the node itself, all the time; ping ends at the first error that the network reports
    const pinging = spawn('sh', ['-c', `while true; do ping -q -c 10 -i 0.002 -W 0.02 ${address}; done`]);
    let heard = '';
    pinging.stdout.on('data', (text) => {
      heard += text;
    });
    try {
      // in the same moment as the start: nobody has looked at it yet
      rig.daemon.write('policies/default-deny.yaml', defaultDeny);
      await target.start();
      const before = heard.length;
      await until('many more were sent', () => heard.slice(before).split('transmitted').length > 20, 20);
      assert.equal(await echoesOf(target), 0);
      assert.doesNotMatch(heard, /transmitted, [1-9]/);
      const friend = await rig.container();
      await friend.start();
      assert.equal(await reaches(friend, address), true);
      assert.ok((await echoesOf(target)) > 0);
    } finally {
      pinging.kill('SIGKILL');
    }
  });

  it('C41 a connection that is open when its policy is tightened carries nothing more', async () => {
    const [client, server] = [await labelled('web'), await labelled('db')];
    for (const one of [client, server]) await one.start();
    const address = await rig.address(server);
    const got = () => server.exec(['cat', '/got']).catch(() => '');
    await server.exec(['sh', '-c', '(sleep 300 | nc -l -p 5432 >/got) >/dev/null 2>&1 </dev/null &']);
    await client.exec(['sh', '-c', `(while true; do echo tick; sleep 1; done | nc ${address} 5432) >/dev/null 2>&1 </dev/null &`]);
    await until('the connection carries', async () => (await got()).split('tick').length > 3, 15);
    const { inForce, message } = await apply(
      cnp('closed', { endpointSelector: { matchLabels: { app: 'db' } }, ingress: [{ fromEntities: ['host'] }] }),
    );
    assert.equal(inForce, true, message);
    const before = await got();
    // for as long as several ticks take
    await server.exec(['sleep', '4']);
    assert.equal(await got(), before);
  });

  it('C75 a container does not start while the agent has other policies than the files say', async function () {
    this.timeout(120_000);
    const container = await rig.container();
    // the agent watches a folder that is not there any more, as after somebody restored a backup
    renameSync(rig.node.paths.policies, `${rig.node.paths.policies}.gone`);
    rig.daemon.write('policies/default-deny.yaml', defaultDeny);
    await assert.rejects(container.start());
    const { lastRefusal } = await rig.show(container);
    assert.match(lastRefusal?.message ?? '', /agent does not enforce what the policy files say.*default-deny/);
    const { body: doctor } = await rig.daemon.api('GET', '/v1/doctor');
    assert.match(JSON.stringify(doctor.checks), /the agent has nothing of policy default-deny/);
    await rig.node.stopAgent();
    await rig.node.startAgent();
    rmSync(`${rig.node.paths.policies}.gone`, { recursive: true });
    await container.start();
    assert.equal(await fromHost(await rig.address(container)), false);
  });

  it('a policy that selects a container on a network without an enforcer is told as not enforced', async () => {
    const bridged = await rig.container({ interfaces: [{ name: 'eth0', network: 'lan' }] });
    await bridged.start();
    const receipt = await apply(defaultDeny);
    assert.equal(receipt.inForce, false);
    assert.equal(receipt.policy?.state, 'not-enforced');
    assert.deepEqual(
      receipt.policy?.containers.map(({ vmid, state }) => [vmid, state]),
      [[bridged.vmid, 'not-enforced']],
    );
    const { stdout, exitCode } = await rig.daemon.cli('policy', 'list');
    assert.equal(exitCode, 1);
    assert.match(stdout, /default-deny +CiliumNetworkPolicy +not enforced/);
    const { body: doctor } = await rig.daemon.api('GET', '/v1/doctor');
    assert.match(
      JSON.stringify(doctor.checks),
      new RegExp(`policy default-deny selects eth0 of container ${bridged.vmid} and is not enforced`),
    );
    await rig.daemon.reconciled();
    const { body: status } = await rig.daemon.api('GET', '/v1/status');
    assert.match(status.notices.join(), /policy default-deny selects eth0 .* and is not enforced there/);
    assert.match((await policyOf(bridged)).differences[0] ?? '', /nothing enforces policies on network/);
  });

  it('a running container that is protected is under the policies that were not enforced on it before, and stays reachable to its like', async () => {
    const [one, other] = [
      await rig.container({ interfaces: [{ name: 'eth0', network: 'lan' }] }),
      await rig.container({ interfaces: [{ name: 'eth0', network: 'lan' }] }),
    ];
    await one.start();
    await other.start();
    const address = await rig.address(one);
    assert.equal((await apply(defaultDeny)).policy?.state, 'not-enforced');
    assert.deepEqual([await fromHost(address), await reaches(other, address)], [true, true]);
    for (const { vmid } of [one, other]) {
      const { exitCode, stderr } = await rig.daemon.cli('container', 'protect', String(vmid));
      assert.equal(exitCode, 0, stderr);
    }
    assert.deepEqual([await fromHost(address), await reaches(other, address)], [false, true]);
    const { body } = await rig.daemon.api('GET', '/v1/policies');
    assert.deepEqual(
      (body as PolicyView[]).map(({ name, state }) => [name, state]),
      [['default-deny', 'in-force']],
    );
    assert.deepEqual((await policyOf(one)).differences, []);
    for (const { vmid } of [one, other]) assert.equal((await rig.daemon.cli('container', 'unprotect', String(vmid))).exitCode, 0);
    assert.deepEqual([await fromHost(address), await reaches(other, address)], [true, true]);
    for (const container of [one, other]) {
      await container.stop();
      rig.daemon.remove(`containers/${container.vmid}.yaml`);
    }
    rig.daemon.remove('networks/protected-lan.yaml');
  });

  it('a bad policy is refused with its field before anything changes, and a bad file leaves what serves', async () => {
    await apply(defaultDeny);
    const revision = (await rig.node.agent.policies()).revision;
    const bad = defaultDeny.replace('fromEndpoints', 'fromServices');
    const { status, body } = await rig.daemon.api('POST', '/v1/policies', { text: bad });
    assert.deepEqual([status, body.code], [400, 'CONFIG_INVALID']);
    assert.match(body.detail, /spec\.ingress\[0\]\.fromServices is not a key/);
    rig.daemon.write('policies/other.yaml', JSON.stringify(cnp('other', { endpointSelector: {}, ingress: [{ fromEntities: ['init'] }] })));
    await rig.daemon.reconciled();
    const { body: list } = await rig.daemon.api('GET', '/v1/policies');
    assert.deepEqual(
      (list as PolicyView[]).map(({ name, state }) => [name, state]),
      [
        ['default-deny', 'in-force'],
        ['other', 'refused'],
      ],
    );
    assert.equal((await rig.node.agent.policies()).revision, revision);
    rig.daemon.remove('policies/other.yaml');
    await rig.daemon.reconciled();
  });

  it('a file of the agent that somebody broke is right again at once, and traffic is judged as before', async function () {
    this.timeout(120_000);
    const [one, other] = [await rig.container(), await rig.container()];
    await one.start();
    await other.start();
    await apply(defaultDeny);
    const path = join(rig.node.paths.policies, 'default-deny.yaml');
    const good = readFileSync(path, 'utf8');
    writeFileSync(path, 'metadata: [');
    await until('the file is right again', () => readFileSync(path, 'utf8') === good, 5);
    await until('the agent has ended', () => /level=fatal/.test(rig.node.agentLog()), 20);
    const address = await rig.address(one);
    assert.deepEqual([await reaches(other, address), await fromHost(address)], [true, false]);
    await rig.node.startAgent();
    await until(
      'it is in force',
      async () => {
        const { body } = await rig.daemon.api('GET', '/v1/policies');
        return (body as PolicyView[])[0]?.state === 'in-force';
      },
      30,
    );
    assert.deepEqual([await reaches(other, address), await fromHost(address)], [true, false]);
    const { body: doctor } = await rig.daemon.api('GET', '/v1/doctor');
    assert.match(JSON.stringify(doctor.checks), /default-deny\.yaml in the agent's folder was changed by somebody/);
  });
});
