/* Stand-in for pve-manager's web interface (pvemanagerlib.js): the panels of a container, a node and the datacenter with a few of their
 * tabs, the menu that is built by insertNodes, tabs that are made when they are shown and destroyed when they are left, the address bar
 * (#v1:0:=lxc%2F101:4::::::=cni:), and the resource tree's selectById. Written anew. */
Ext.define('PVE.StateProvider', {
    extend: 'Ext.state.Provider',
    // places of the address bar: view, resource, log tab, and the tab of each kind of panel
    places: [
        'view',
        'rid',
        'ltab',
        'nodetab',
        'storagetab',
        'sdntab',
        'pooltab',
        'kvmtab',
        'lxctab',
        'dctab',
    ],
    constructor: function (config) {
        let me = this;
        me.callParent([config]);
        me.values = { GuiCap: PVE.caps };
        let read = () => {
            let words = location.hash.replace(/^#v1:?/, '').split(':');
            me.places.forEach((place, index) => {
                let value = decodeURIComponent((words[index] || '').replace(/^=/, ''));
                if (me.values[place] === value) return;
                me.values[place] = value;
                me.fireEvent('statechange', me, place, { value });
            });
        };
        read();
        window.addEventListener('hashchange', read);
    },
    get: function (name, otherwise) {
        let value = this.values[name];
        if (this.places.includes(name)) return { value: value || '' };
        return value === undefined ? otherwise : value;
    },
    set: function (name, value) {
        let me = this;
        if (!me.places.includes(name)) {
            me.values[name] = value;
            return;
        }
        me.values[name] = value?.value || '';
        let words = me.places.map((place) => {
            let word = me.values[place];
            return word ? `=${encodeURIComponent(word)}` : '';
        });
        history.replaceState(null, '', `#v1:${words.join(':')}`);
    },
});

Ext.define('PVE.panel.Config', {
    extend: 'Ext.panel.Panel',
    alias: 'widget.pvePanelConfig',
    layout: 'card',
    border: 0,
    initComponent: function () {
        let me = this;
        me.sp = Ext.state.Manager.getProvider();
        let wanted = me.sp.get(me.hstateid).value;
        me.savedItems = {};
        me.store = Ext.create('Ext.data.TreeStore', { root: { expanded: true } });
        let items = me.items;
        me.firstItem = items[0].itemId;
        me.insertNodes(items);
        delete me.items;
        me.defaults = { pveSelNode: me.pveSelNode, border: 0, ...me.defaults };
        me.title = me.pveSelNode.data.text;
        me.dockedItems = [
            {
                xtype: 'treelist',
                dock: 'left',
                width: 160,
                itemId: 'menu',
                expanderOnly: true,
                store: me.store,
                listeners: {
                    selectionchange: (_list, node) => node && me.activateCard(node.getId()),
                },
            },
        ];
        me.callParent();
        let root = me.store.getRoot();
        me.down('#menu').setSelection(root.findChild('id', wanted, true) || root.firstChild);
    },
    insertNodes: function (items) {
        let me = this;
        for (let item of items) {
            if (me.savedItems[item.itemId] !== undefined)
                throw 'itemId already exists, please use another';
            item.header = false;
            me.savedItems[item.itemId] = item;
            let parent = me.store.getRoot();
            while (item.groups?.length)
                parent = parent.findChild('id', item.groups.shift()) || parent;
            parent.appendChild({
                id: item.itemId,
                text: item.title,
                iconCls: item.iconCls,
                leaf: true,
            });
        }
    },
    activateCard: function (id) {
        let me = this;
        let before = me.getLayout().getActiveItem();
        me.add(me.savedItems[id]);
        if (before) {
            me.setActiveItem(id);
            me.remove(before, true);
            me.sp.set(me.hstateid, { value: id === me.firstItem ? '' : id });
        }
    },
    selectById: function (id) {
        let node = this.store.getRoot().findChild('id', id, true);
        if (node) this.down('#menu').setSelection(node);
    },
});

PVE.tab = (itemId, title, more) => ({
    xtype: 'panel',
    html: Ext.htmlEncode(title),
    itemId,
    title,
    ...more,
});

Ext.define('PVE.lxc.Config', {
    extend: 'PVE.panel.Config',
    alias: 'widget.pveLXCConfig',
    hstateid: 'lxctab',
    initComponent: function () {
        this.items = ['summary', 'resources', 'network', 'dns', 'options'].map((id) =>
            PVE.tab(id, Ext.String.capitalize(id)),
        );
        this.callParent();
    },
});

Ext.define('PVE.node.Config', {
    extend: 'PVE.panel.Config',
    alias: 'widget.PVE.node.Config',
    hstateid: 'nodetab',
    initComponent: function () {
        this.items = [
            PVE.tab('summary', 'Summary'),
            PVE.tab('services', 'System'),
            PVE.tab('network', 'Network', { groups: ['services'] }),
            PVE.tab('tasks', 'Task History'),
        ];
        this.callParent();
    },
});

Ext.define('PVE.dc.Config', {
    extend: 'PVE.panel.Config',
    alias: 'widget.PVE.dc.Config',
    hstateid: 'dctab',
    initComponent: function () {
        this.items = [
            PVE.tab('summary', 'Summary'),
            PVE.tab('options', 'Options'),
            PVE.tab('sdn', 'SDN'),
            PVE.tab('sdnzone', 'Zones', { groups: ['sdn'] }),
            PVE.tab('support', 'Support'),
        ];
        this.callParent();
    },
});

// rid of the address bar → the panel; what a name of a container is, the tests say
Ext.define('PVE.StdWorkspace', {
    extend: 'Ext.container.Viewport',
    alias: 'widget.pveStdWorkspace',
    layout: 'fit',
    names: {},
    initComponent: function () {
        let me = this;
        Ext.tip.QuickTipManager.init();
        Ext.state.Manager.setProvider(Ext.create('PVE.StateProvider'));
        me.callParent();
        let sp = Ext.state.Manager.getProvider();
        let follow = () => me.show_(sp.get('rid').value || 'root');
        me.mon(sp, 'statechange', (_sp, place) => place === 'rid' && follow());
        follow();
    },
    selectById: function (id) {
        Ext.state.Manager.getProvider().set('rid', { value: id });
        this.show_(id);
    },
    show_: function (id) {
        let me = this;
        let [kind, name] = id.split('/');
        let panels = {
            lxc: {
                xtype: 'pveLXCConfig',
                data: { vmid: Number(name), node: Proxmox.NodeName, text: id },
            },
            node: { xtype: 'PVE.node.Config', data: { node: name, text: id } },
            root: { xtype: 'PVE.dc.Config', data: { text: 'Datacenter' } },
        };
        let { xtype, data } = panels[kind] || panels.root;
        me.removeAll();
        me.add({ xtype, pveSelNode: { data: { id, type: kind, ...data } }, workspace: me });
    },
});
