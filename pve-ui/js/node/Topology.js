/* The live picture of a node's networks. Enter or a click on a container opens its CNI tab; on a network it lists its interfaces (event
 * `networkchosen`); on a folded frame it unfolds. Arrow keys go from box to box. */
Ext.define('PVECNI.node.Topology', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pveCniTopology',

    title: gettext('Topology'),
    scrollable: true,
    bodyCls: 'pve-cni-topology',

    initComponent: function () {
        const me = this;
        me.unfolded = new Set();
        me.tbar = [
            { xtype: 'tbtext', itemId: 'summary' },
            '->',
            ...['good', 'warning', 'critical', 'off'].map((state) => ({
                xtype: 'tbtext',
                text: PVECNI.Render.state('health')(state),
            })),
        ];
        me.items = [{ xtype: 'component', itemId: 'picture' }];
        me.callParent();
        me.on('resize', me.redraw, me, { buffer: 100 });
        me.down('#picture').on('afterrender', ({ el }) => {
            el.on('click', (event) => me.choose(me.groupOf(event.target)));
            el.on('keydown', (event) => me.onKey(event));
        });
        Ext.create('PVECNI.Poll', {
            view: me,
            url: `/nodes/${me.nodename}/cni/topology`,
            interval: me.interval ?? 5000,
            load: (topology) => me.showTopology(topology),
        });
    },

    showTopology(topology) {
        const text = Ext.encode(topology);
        if (text === this.shown) return;
        this.shown = text;
        this.topology = topology;
        this.redraw();
    },

    redraw() {
        const me = this;
        const picture = me.down('#picture');
        if (!me.topology || !picture?.el) return;
        const networks = me.topology.nodes.filter(({ kind }) => kind === 'network').length;
        const containers = me.topology.nodes.filter(({ kind }) => kind === 'container').length;
        const summary = [
            Ext.String.format(ngettext('{0} network', '{0} networks', networks), networks),
            Ext.String.format(ngettext('{0} container', '{0} containers', containers), containers),
        ].join(', ');
        me.down('#summary').setText(summary);
        if (me.topology.nodes.length === 0) {
            picture.setHtml(`<p class="pve-cni-tile">${gettext('No network is configured.')}</p>`);
            return;
        }
        const focused = me.groupOf(document.activeElement)?.getAttribute('data-key');
        me.picture = PVECNI.node.TopologyLayout.lay(me.topology, {
            width: Math.max(me.body.getWidth() - 20, 400),
            unfolded: me.unfolded,
        });
        me.boxes = new Map(me.picture.boxes.map((box) => [box.key, box]));
        picture.el.dom.replaceChildren(
            PVECNI.node.TopologyDrawing.draw(me.picture, `${gettext('Topology')}: ${summary}`),
        );
        if (focused) me.focusBox(focused);
    },

    groupOf(target) {
        const picture = this.down('#picture').el?.dom;
        return target && picture?.contains(target) ? target.closest('[data-key]') : null;
    },

    focusBox(key) {
        this.down('#picture')
            .el.dom.querySelector(`[data-key="${CSS.escape(key)}"]`)
            ?.focus({ preventScroll: false });
    },

    choose(group) {
        const me = this;
        const box = group && me.boxes.get(group.getAttribute('data-key'));
        if (!box) return;
        if (box.kind === 'container') PVECNI.Jump.toContainer(box.node.vmid);
        else if (box.kind === 'network')
            me.fireEvent('networkchosen', me, box.node.network ?? box.node.name);
        else if (box.kind === 'fold') {
            if (!me.unfolded.delete(box.node.id)) me.unfolded.add(box.node.id);
            group.focus();
            me.redraw();
        }
    },

    onKey(event) {
        const me = this;
        const group = me.groupOf(event.target);
        if (!group) return;
        const key = event.getKey();
        if (key === event.ENTER || key === event.SPACE) {
            event.stopEvent();
            me.choose(group);
            return;
        }
        const direction = {
            [event.LEFT]: [-1, 0],
            [event.RIGHT]: [1, 0],
            [event.UP]: [0, -1],
            [event.DOWN]: [0, 1],
        }[key];
        const next =
            direction && me.neighbour(me.boxes.get(group.getAttribute('data-key')), direction);
        if (next) {
            event.stopEvent();
            me.focusBox(next.key);
        }
    },

    /** The nearest box in a direction; what lies aside counts double. */
    neighbour(from, [dx, dy]) {
        let best = null;
        let least = Number.POSITIVE_INFINITY;
        for (const box of this.picture.boxes) {
            const x = box.x + box.width / 2 - (from.x + from.width / 2);
            const y = box.y + box.height / 2 - (from.y + from.height / 2);
            const along = x * dx + y * dy;
            if (along <= 1) continue;
            const distance = along + 2 * Math.abs(x * dy + y * dx);
            if (distance < least) {
                least = distance;
                best = box;
            }
        }
        return best;
    },
});
