Ext.define('PVECNI.dc.PolicyGrid', {
    extend: 'PVECNI.dc.Objects',
    alias: 'widget.pveCniPolicyGrid',

    emptyText: gettext('No policy is there: every container may speak with every other.'),
    stateId: 'grid-pve-cni-policies',
    url: '/cluster/cni/policies',
    idProperty: 'file',
    fields: [
        ...['name', 'kind', 'file', 'state', 'directions', 'containers', 'problem'],
        { name: 'said', convert: (_value, { data }) => data.problem?.message ?? '' },
    ],
    editorClass: 'PVECNI.dc.PolicyEditor',
    editor: {
        template:
            'apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: default-deny\nspec:\n  endpointSelector:\n    matchLabels:\n      type: container\n  ingress:\n    - fromEndpoints:\n        - matchLabels:\n            type: container\n',
    },

    columns: [
        {
            header: gettext('State'),
            tooltip: gettext('As the node sees it that answers this page'),
            dataIndex: 'state',
            width: 140,
            renderer: PVECNI.Render.state('policy'),
        },
        { header: gettext('Policy'), dataIndex: 'name', flex: 1, renderer: PVECNI.Render.long },
        { header: gettext('Kind'), dataIndex: 'kind', width: 210, renderer: PVECNI.Render.long },
        {
            header: gettext('Directions'),
            dataIndex: 'directions',
            width: 130,
            renderer: PVECNI.Render.commas,
        },
        {
            header: gettext('Containers'),
            dataIndex: 'containers',
            width: 115,
            align: 'right',
            sortable: false,
            renderer: (value) => String(new Set((value ?? []).map(({ vmid }) => vmid)).size),
        },
        { header: gettext('File'), dataIndex: 'file', width: 180, renderer: PVECNI.Render.long },
        {
            header: gettext('Message'),
            dataIndex: 'said',
            flex: 2,
            tdCls: 'pve-cni-wrap',
            renderer: PVECNI.Render.text,
        },
    ],

    removalQuestion(record) {
        const users = [...new Set((record.get('containers') ?? []).map(({ vmid }) => vmid))];
        if (users.length === 0) return this.callParent([record]);
        return Ext.String.format(
            gettext(
                'Policy {0} selects containers {1}. What it forbids is allowed once it is removed. Remove it?',
            ),
            Ext.htmlEncode(`'${record.get('name')}'`),
            Ext.htmlEncode(users.join(', ')),
        );
    },
});
