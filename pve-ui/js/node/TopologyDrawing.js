/* Turns a laid out topology into SVG. Text comes in as text nodes only: a container's name cannot become markup. */
Ext.define('PVECNI.node.TopologyDrawing', {
    singleton: true,

    kinds: {
        uplink: gettext('uplink'),
        bridge: gettext('bridge'),
        agent: gettext('agent'),
        network: gettext('network'),
        container: gettext('container'),
    },
    classes: { good: 'good', warning: 'warning', critical: 'critical', off: 'faded' },

    element(name, attributes, children) {
        const element = document.createElementNS('http://www.w3.org/2000/svg', name);
        for (const key of Object.keys(attributes))
            element.setAttribute(key, String(attributes[key]));
        for (const child of children ?? [])
            element.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
        return element;
    },

    classOf(state) {
        return this.classes[state] ?? 'faded';
    },

    /** @returns {SVGElement} its groups carry `data-key`, by which the panel finds the box again */
    draw(picture, label) {
        const me = this;
        const { width, height } = picture;
        return me.element(
            'svg',
            {
                width,
                height,
                viewBox: `0 0 ${width} ${height}`,
                role: 'group',
                'aria-label': label,
            },
            [
                ...picture.lines.map(({ path, state }) =>
                    me.element('path', {
                        d: path,
                        class: `pve-cni-edge ${me.classOf(state)}`,
                        'aria-hidden': true,
                    }),
                ),
                ...picture.frames.map(({ x, y, width, height }) =>
                    me.element('rect', {
                        x,
                        y,
                        width,
                        height,
                        rx: 4,
                        class: 'pve-cni-box',
                        'aria-hidden': true,
                    }),
                ),
                ...picture.boxes.map((box) => me.drawBox(box)),
            ],
        );
    },

    drawBox(box) {
        const me = this;
        const { width, height, kind, state } = box;
        const label = me.labelOf(box);
        const role = { container: 'link', network: 'button', fold: 'button' }[kind] ?? 'img';
        const lines = me.linesOf(box);
        const marked = kind !== 'fold';
        return me.element(
            'g',
            {
                transform: `translate(${box.x},${box.y})`,
                class: `pve-cni-node pve-cni-kind-${kind} ${me.classOf(state)}`,
                role,
                tabindex: 0,
                'data-key': box.key,
                'data-state': state,
                'aria-label': label,
                ...(kind === 'fold' && { 'aria-expanded': box.open }),
            },
            [
                me.element('title', {}, [label]),
                me.element('rect', { width, height, rx: 4, class: 'pve-cni-box' }),
                ...(marked ? [me.mark(state, 14, height / 2)] : []),
                ...lines.map((text, index) =>
                    me.element(
                        'text',
                        {
                            x: marked ? 26 : 10,
                            y:
                                (height * (index + 1)) / (lines.length + 1) +
                                (lines.length > 1 ? [2, 6][index] : 4),
                            ...(index > 0 && { class: 'pve-cni-quiet' }),
                        },
                        [me.cut(text, marked ? width - 32 : width - 16)],
                    ),
                ),
            ],
        );
    },

    /** The state as a shape, for those who see no colours: disc, triangle, cross, ring. */
    mark(state, x, y) {
        const shape = { class: 'pve-cni-mark', 'aria-hidden': true };
        if (state === 'critical')
            return this.element('path', {
                ...shape,
                d: `M${x - 4},${y - 4} L${x + 4},${y + 4} M${x + 4},${y - 4} L${x - 4},${y + 4}`,
            });
        if (state === 'warning')
            return this.element('path', {
                ...shape,
                d: `M${x},${y - 4} L${x + 5},${y + 4} L${x - 5},${y + 4} Z`,
            });
        return this.element('circle', { ...shape, cx: x, cy: y, r: 4 });
    },

    linesOf({ kind, node, label, count, open, hidden, counts }) {
        if (kind === 'container')
            return [`${node.vmid ?? ''} ${node.name ?? ''}${label ? ` · ${label}` : ''}`.trim()];
        if (kind !== 'fold')
            return [String(node.name ?? ''), node.detail ? String(node.detail) : this.kinds[kind]];
        const states = counts
            .map((one) => `${one.count} ${PVECNI.States.of('health', one.state).text}`)
            .join(', ');
        const rest =
            open && hidden > 0
                ? ` (${Ext.String.format(gettext('{0} more in the list of interfaces'), hidden)})`
                : '';
        return [
            `${open ? '▾' : '▸'} ${Ext.String.format(ngettext('{0} interface', '{0} interfaces', count), count)}: ${states}${rest}`,
        ];
    },

    /** What a screen reader says, and the tooltip. */
    labelOf(box) {
        const { kind, node, network, label, state } = box;
        if (kind === 'fold') return `${node.name}: ${this.linesOf(box)[0].slice(2)}`;
        const what =
            kind === 'container'
                ? Ext.String.format(
                      gettext('container {0} on network {1}'),
                      `${node.vmid ?? ''} ${node.name ?? ''}${label ? ` (${label})` : ''}`.trim(),
                      network,
                  )
                : `${this.kinds[kind] ?? kind} ${node.name}`;
        return `${what}: ${PVECNI.States.of('health', state).text}${node.detail ? `. ${node.detail}` : ''}`;
    },

    /** Text that fits, by the width of a usual letter: measuring a thousand texts would take longer than drawing them. */
    cut(text, width) {
        const letters = Math.floor(width / 6.9);
        return text.length > letters ? `${text.slice(0, Math.max(1, letters - 1))}…` : text;
    },
});
