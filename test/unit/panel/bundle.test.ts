// A few functions stand in for ExtJS (Ext.define, the class manager) and for Proxmox's page: what counts is what the script does before and around them.
import assert from 'node:assert/strict';
import { createContext, runInContext } from 'node:vm';

interface Page {
  /** names that were defined, in order */
  defined: string[];
  errors: string[];
  run(): void;
}

describe('the panel’s script', () => {
  let text = '';
  before(async () => {
    const script = '../../../scripts/panel.mjs'; // without types
    const { panelBundle } = await import(script);
    text = await panelBundle('pve-ui/js', '9.8.7');
  });

  /** A page; `define` in place of the stand-in's */
  function page({ panel = true, proxmox = true, define }: { panel?: boolean; proxmox?: boolean; define?: () => never } = {}): Page {
    const defined: string[] = [];
    const errors: string[] = [];
    const put = (path: string, value: unknown) => {
      const names = path.split('.');
      let at = context as Record<string, unknown>;
      for (const name of names.slice(0, -1)) {
        at[name] ??= {};
        at = at[name] as Record<string, unknown>;
      }
      at[names.at(-1) as string] = value;
    };
    const context: Record<string, unknown> = {
      Ext: {
        define:
          define ??
          ((name: string, body: object) => {
            defined.push(name);
            put(name, body);
          }),
        ClassManager: { get: (name: string) => (panel && name === 'PVE.panel.Config' ? {} : null) },
        util: { CSS: { createStyleSheet: () => undefined } },
        emptyFn: () => undefined,
        htmlEncode: String,
      },
      gettext: String,
      ngettext: String,
      console: { error: (...words: unknown[]) => errors.push(words.map(String).join(' ')), warn: () => undefined },
      document: { head: { append: () => undefined, appendChild: () => undefined }, createElement: () => ({}), getElementById: () => null },
      ...(proxmox && { Proxmox: { Utils: { override_task_descriptions: () => undefined } } }),
    };
    context.window = context;
    createContext(context);
    return { defined, errors, run: () => runInContext(text, context) };
  }

  it('is neither strict nor a class of ECMAScript: callParent would not find its caller', () => {
    assert.doesNotMatch(text, /['"]use strict['"]/);
    assert.doesNotMatch(text, /^\s*class\s/m);
    assert.doesNotMatch(text, /^\s*(import|export)\s/m);
  });

  it('defines its classes, bases before heirs, the override of Proxmox’s panel last', () => {
    const whole = page();
    whole.run();
    assert.deepEqual(whole.errors, []);
    assert.ok(whole.defined.length > 30, String(whole.defined.length));
    assert.equal(whole.defined.at(-1), 'PVECNI.ConfigPanel');
    assert.deepEqual([...new Set(whole.defined)], whole.defined);
  });

  it('does nothing the second time', () => {
    const twice = page();
    twice.run();
    const once = twice.defined.length;
    twice.run();
    assert.equal(twice.defined.length, once);
  });

  it('does nothing on a page without Proxmox’s panels', () => {
    for (const options of [{ panel: false }, { proxmox: false }]) {
      const other = page(options);
      other.run();
      assert.deepEqual([other.defined, other.errors], [[], []]);
    }
  });

  it('leaves the page whole when a class cannot be defined', () => {
    const broken = page({
      define: () => {
        throw new Error('no such base');
      },
    });
    broken.run();
    assert.match(broken.errors.join('\n'), /^pve-cni: the panel cannot be shown.*no such base/);
  });
});
