/* Made by npm run gen (scripts/render-forms.ts) from the schemas of the service. */
Ext.define('PVECNI.Forms', {
    singleton: true,

    forms: {
        interface: [
            {
                label: gettext('Name'),
                kind: "text",
                required: true,
                description: gettext('name of the interface inside the container'),
                patterns: ["^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$"],
                message: gettext('must be a Linux interface name of at most 15 characters'),
                name: "ifname",
            },
            {
                label: gettext('Network'),
                kind: "network",
                required: true,
                description: gettext('name of the network'),
                patterns: ["^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$"],
                message: gettext('must start with a letter or digit and hold only letters, digits, "_", "." and "-" (63 at most)'),
                name: "network",
            },
            {
                label: gettext('IP Address'),
                kind: "list",
                description: gettext('`auto`, or the fixed addresses without prefix length'),
                patterns: ["^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])\\.){3}(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])$","^(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,7}:|([0-9a-fA-F]{1,4}:){1,6}:[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,5}(:[0-9a-fA-F]{1,4}){1,2}|([0-9a-fA-F]{1,4}:){1,4}(:[0-9a-fA-F]{1,4}){1,3}|([0-9a-fA-F]{1,4}:){1,3}(:[0-9a-fA-F]{1,4}){1,4}|([0-9a-fA-F]{1,4}:){1,2}(:[0-9a-fA-F]{1,4}){1,5}|[0-9a-fA-F]{1,4}:((:[0-9a-fA-F]{1,4}){1,6})|:((:[0-9a-fA-F]{1,4}){1,7}|:))$"],
                message: gettext('must be an IPv4 or IPv6 address'),
                maxItems: 8,
                defaultValue: "auto",
                name: "address",
                privilege: "Sys.Modify",
            },
            {
                label: gettext('Default Route'),
                kind: "boolean",
                description: gettext('whether the default route goes here; the first interface when absent'),
                name: "defaultRoute",
            },
            {
                label: gettext('On Failure'),
                kind: "choice",
                values: [['refuse', gettext('do not start')], ['start', gettext('start all the same')]],
                name: "onFailure",
                privilege: "Sys.Modify",
                advanced: true,
            },
        ],
    },
});
