import assert from 'node:assert/strict';
import { singleton } from './classes.ts';

interface Box {
  key: string;
  kind: string;
  state: string;
  x: number;
  y: number;
  width: number;
  height: number;
  count?: number;
  hidden?: number;
}

const layout = singleton('node/TopologyLayout.js');

const node = (kind: string, name: string, more = {}) => ({ id: `${kind}:${name}`, kind, name, state: 'good', detail: '', ...more });

/** `count` containers on network web, on a bridge with an uplink; the states go round. */
function topology(count: number, states: readonly string[] = ['good']) {
  const containers = Array.from({ length: count }, (_, index) => node('container', String(101 + index), { vmid: 101 + index }));
  return {
    nodes: [node('uplink', 'eno1'), node('bridge', 'cnibr-web'), node('network', 'web'), ...containers],
    edges: [
      { from: 'network:web', to: 'bridge:cnibr-web', state: 'good' },
      { from: 'bridge:cnibr-web', to: 'uplink:eno1', state: 'good' },
      ...containers.map(({ id }, index) => ({ from: id, to: 'network:web', label: 'eth0', state: states[index % states.length] })),
    ],
  };
}

const lay = (picture: unknown, unfolded: string[] = []) =>
  layout.lay(picture, { width: 1400, unfolded: new Set(unfolded) }) as { boxes: Box[]; lines: unknown[]; width: number; height: number };

function overlapping(boxes: readonly Box[]): string[] {
  return boxes.flatMap((one, index) =>
    boxes
      .slice(index + 1)
      .filter(
        (other) =>
          one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height,
      )
      .map((other) => `${one.key} and ${other.key}`),
  );
}

describe('layout of the topology', () => {
  it('goes from the cable to the container, one column a kind', () => {
    const { boxes } = lay(topology(2));
    const x = (key: string) => boxes.find((box) => box.key.startsWith(key))?.x ?? Number.NaN;
    assert.ok(x('uplink') < x('bridge') && x('bridge') < x('network') && x('network') < x('container'));
  });

  it('draws each of 50 containers, none over another and all within the picture', () => {
    const { boxes, width, height } = lay(topology(50, ['good', 'off', 'critical']));
    assert.equal(boxes.filter(({ kind }) => kind === 'container').length, 50);
    assert.deepEqual(overlapping(boxes), []);
    for (const box of boxes) assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, box.key);
  });

  it('gives a container on two networks a box on each', () => {
    const two = topology(1);
    two.nodes.push(node('network', 'lan'));
    two.edges.push({ from: 'container:101', to: 'network:lan', label: 'eth1', state: 'critical' });
    const boxes = lay(two).boxes.filter(({ kind }) => kind === 'container');
    assert.deepEqual(boxes.map(({ key, state }) => [key, state]).sort(), [
      ['container:101@network:lan/eth1', 'critical'],
      ['container:101@network:web/eth0', 'good'],
    ]);
  });

  it('folds 1,000 containers into a count, and shows those that are not well', () => {
    const { boxes } = lay(topology(1000, [...Array(99).fill('good'), 'critical']));
    const fold = boxes.find(({ kind }) => kind === 'fold');
    assert.equal(fold?.count, 1000);
    const shown = boxes.filter(({ kind }) => kind === 'container');
    assert.equal(shown.length, 8);
    assert.ok(shown.every(({ state }) => state === 'critical'));
    assert.equal(fold?.hidden, 992);
    assert.deepEqual(overlapping(boxes), []);
  });

  it('unfolds a network on demand, the worst first, and says how many are left out', () => {
    const { boxes } = lay(topology(1000, [...Array(99).fill('good'), 'critical']), ['network:web']);
    const shown = boxes.filter(({ kind }) => kind === 'container');
    assert.equal(shown.length, 300);
    assert.ok(shown.slice(0, 10).every(({ state }) => state === 'critical'));
    assert.equal(boxes.find(({ kind }) => kind === 'fold')?.hidden, 700);
  });

  it('draws what nothing leads to, and leaves out edges to what is not there', () => {
    const odd = topology(0);
    odd.nodes.push(node('network', 'lonely'), node('agent', 'cilium'));
    odd.edges.push({ from: 'network:gone', to: 'bridge:gone', state: 'good' });
    const { boxes, lines } = lay(odd);
    assert.deepEqual(boxes.map(({ key }) => key).sort(), [
      'agent:cilium',
      'bridge:cnibr-web',
      'network:lonely',
      'network:web',
      'uplink:eno1',
    ]);
    assert.equal(lines.length, 2);
    assert.deepEqual(overlapping(boxes), []);
  });
});
