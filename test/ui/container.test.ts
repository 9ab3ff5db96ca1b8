import assert from 'node:assert/strict';
import { useRig, web } from '../host/lifecycle/rig.ts';
import { usePanels } from './browser.ts';

const grid = 'pveCniContainerInterfaces';

describe('the tab of a container', function () {
  this.timeout(120_000);
  const rig = useRig({ files: web });
  const panels = usePanels(() => rig.daemon.socket);

  it('shows an interface as it is, and follows its container through start and stop', async () => {
    const container = await rig.container();
    const view = await panels.open({ at: `lxc/${container.vmid}` });
    assert.match(await view.row(grid, /^eth0/), /^eth0 \| container not running \| web \| 10\.20\.0\.\d+\/24 \| - \|/);
    await container.start();
    const { interfaces } = await rig.show(container);
    const [one] = interfaces;
    assert.ok(one);
    const row = await view.row(grid, /attached/);
    for (const part of [...one.addresses, one.mac, String(one.mtuBytes), one.hostInterface])
      assert.ok(row.includes(part), `${part} in ${row}`);
    await container.stop();
    await view.row(grid, /container not running/);
  });
});
