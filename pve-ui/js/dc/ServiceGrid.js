Ext.define('PVECNI.dc.ServiceGrid', {
    extend: 'PVECNI.dc.Objects',
    alias: 'widget.pveCniServiceGrid',

    emptyText: gettext('No service is configured.'),
    stateId: 'grid-pve-cni-services',
    url: '/cluster/cni/services',
    fields: [
        ...['name', 'file', 'state', 'message', 'address', 'nodePort', 'ports', 'backends'],
        {
            name: 'at',
            convert: (_value, { data }) =>
                data.address ??
                (data.nodePort
                    ? Ext.String.format(gettext('node port {0}'), data.nodePort.port)
                    : ''),
        },
    ],
    editor: {
        noun: gettext('Service'),
        template:
            'address: 10.96.0.10\nports:\n  - { port: 80, target: 8080, protocol: tcp }\nbackends:\n  matchLabels:\n    app: web\n',
    },

    columns: [
        {
            header: gettext('State'),
            tooltip: gettext('As the node sees it that answers this page'),
            dataIndex: 'state',
            width: 120,
            renderer: PVECNI.Render.state('service'),
        },
        { header: gettext('Service'), dataIndex: 'name', flex: 1, renderer: PVECNI.Render.long },
        { header: gettext('Address'), dataIndex: 'at', width: 180, renderer: PVECNI.Render.long },
        {
            header: gettext('Ports'),
            dataIndex: 'ports',
            flex: 1,
            sortable: false,
            renderer: (value) =>
                PVECNI.Render.commas(
                    (value ?? []).map(
                        ({ port, target, protocol }) => `${port} → ${target}/${protocol}`,
                    ),
                ),
        },
        {
            header: gettext('Backends'),
            dataIndex: 'backends',
            width: 100,
            sortable: false,
            renderer: (value) =>
                Ext.String.format(
                    gettext('{0} of {1} up'),
                    (value ?? []).filter(({ up }) => up).length,
                    (value ?? []).length,
                ),
        },
        {
            header: gettext('Message'),
            dataIndex: 'message',
            flex: 2,
            tdCls: 'pve-cni-wrap',
            renderer: PVECNI.Render.text,
        },
    ],
});
