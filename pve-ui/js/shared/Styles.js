/* The few rules that Proxmox's styles do not have. No colour of their own: text, ground and lines are the
 * variables that the dark theme sets (absent in the light one), states are Proxmox's classes good, warning,
 * critical and faded, through currentColor. */
Ext.define('PVECNI.Styles', {
    singleton: true,

    rules: [
        '.pve-cni-empty { padding: 10px; text-align: center; opacity: 0.7; }',
        '.pve-cni-wrap .x-grid-cell-inner { white-space: normal; overflow-wrap: anywhere; }',
        '.pve-cni-text { font-family: monospace; white-space: pre-wrap; overflow-wrap: anywhere; }',

        '.pve-cni-text-field textarea { font-family: monospace; white-space: pre; overflow-x: auto; tab-size: 2; }',
        '.pve-cni-findings { list-style: none; max-height: 110px; overflow: auto; margin: 0; padding: 4px 10px; }',
        '.pve-cni-findings li { margin: 2px 0; list-style: none; overflow-wrap: anywhere; }',
        '.pve-cni-bar { position: relative; height: 14px; border: 1px solid var(--pwt-chart-grid-stroke, #ccc); }',
        '.pve-cni-bar > span { display: block; height: 100%; background-color: currentColor; }',

        /* a difference: the sign says it, too, for those who see no colours */
        '.pve-cni-diff { font-family: monospace; white-space: pre; margin: 0; padding: 5px 0; line-height: 1.5; min-width: max-content; }',
        '.pve-cni-diff div { padding: 0 10px; border-left: 4px solid transparent; }',
        '.pve-cni-diff .good, .pve-cni-diff .critical { border-left-color: currentColor; }',
        '.pve-cni-diff .good > span, .pve-cni-diff .critical > span { color: var(--pwt-text-color, #000); }',
        '.pve-cni-diff .good, .pve-cni-diff .critical { position: relative; }',
        '.pve-cni-diff .good::before, .pve-cni-diff .critical::before { content: ""; position: absolute; inset: 0; background-color: currentColor; opacity: 0.22; pointer-events: none; }',

        '.pve-cni-tile { padding: 10px; text-align: center; }',
        '.pve-cni-tile h3 { margin: 0 0 8px 0; }',
        '.pve-cni-large { font-size: 4em; line-height: 1; }',
        '.pve-cni-tile p { margin: 8px 0 0 0; overflow-wrap: anywhere; overflow: hidden; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; }',

        '.pve-cni-topology svg { display: block; font-family: inherit; font-size: 12px; }',
        '.pve-cni-topology svg text { fill: var(--pwt-text-color, #000); }',
        '.pve-cni-topology .pve-cni-quiet { opacity: 0.7; }',
        '.pve-cni-topology .pve-cni-box { fill: var(--pwt-panel-background, #fff); stroke: var(--pwt-chart-grid-stroke, #bbb); }',
        '.pve-cni-topology .pve-cni-edge { fill: none; stroke: var(--pwt-chart-grid-stroke, #bbb); stroke-width: 1.5; }',
        '.pve-cni-topology .pve-cni-edge.warning, .pve-cni-topology .pve-cni-edge.critical { stroke: currentColor; stroke-width: 2; }',
        '.pve-cni-topology .pve-cni-edge.faded { stroke-dasharray: 4 3; }',
        '.pve-cni-topology .pve-cni-mark { fill: currentColor; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }',
        '.pve-cni-topology .faded .pve-cni-mark { fill: none; }',
        '.pve-cni-topology .warning .pve-cni-box, .pve-cni-topology .critical .pve-cni-box { stroke: currentColor; }',
        '.pve-cni-topology [role="button"], .pve-cni-topology [role="link"] { cursor: pointer; outline: none; }',
        '.pve-cni-topology [tabindex]:focus .pve-cni-box, .pve-cni-topology [tabindex]:hover .pve-cni-box { stroke: var(--pwt-chart-primary, #157fcc); stroke-width: 2.5; }',
    ],

    inject: function () {
        if (!document.getElementById('pve-cni-styles')) {
            Ext.util.CSS.createStyleSheet(this.rules.join('\n'), 'pve-cni-styles');
        }
    },
});
