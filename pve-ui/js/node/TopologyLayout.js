/* Where everything of a node's topology stands, without drawing it: columns from the cable to the container. Each network has a frame with a box
 * for every interface on it, so that no line crosses another; a container on two networks has two boxes. Frames of many fold into a count
 * with the boxes of those that are not well, and unfold on demand. */
Ext.define('PVECNI.node.TopologyLayout', {
    singleton: true,

    columnOf: { uplink: 0, bridge: 1, agent: 1, network: 2 },
    worst: ['critical', 'warning', 'good', 'off'],

    node: { width: 180, height: 38 },
    box: { width: 186, height: 26 },
    gap: 8,
    columnGap: 46,
    margin: 12,

    /** boxes that are drawn before frames fold */
    foldAbove: 120,
    /** boxes of a frame that never folds */
    smallFrame: 12,
    /** boxes of trouble that a folded frame shows */
    foldedTrouble: 8,
    /** boxes that an unfolded frame shows */
    unfoldedAtMost: 300,

    /** @returns {{width: number, height: number, boxes: object[], lines: object[], frames: object[]}} boxes have x, y, width, height, kind, key, state, title, detail */
    lay(topology, { width, unfolded }) {
        const me = this;
        const nodes = new Map(topology.nodes.map((node) => [node.id, node]));
        const frames = me.framesOf(topology, nodes);
        const total = frames.reduce((sum, { members }) => sum + members.length, 0);
        const columns = me.columnsOf(nodes);
        const left = me.margin + columns.length * (me.node.width + me.columnGap);
        const perRow = Math.max(
            1,
            Math.floor((width - left - me.margin - me.gap) / (me.box.width + me.gap)),
        );
        const picture = {
            width: left + perRow * (me.box.width + me.gap) + me.gap + me.margin,
            height: 0,
            boxes: [],
            lines: [],
            frames: [],
        };

        const places = new Map();
        let y = me.margin;
        for (const frame of frames) {
            const drawn = me.drawFrame(picture, frame, {
                left,
                top: y,
                perRow,
                folds: total > me.foldAbove,
                unfolded,
            });
            places.set(frame.node.id, y + Math.min(drawn, me.node.height) / 2 - me.node.height / 2);
            y += Math.max(drawn, me.node.height) + 2 * me.gap;
        }
        const bottom = me.placeColumns(topology, nodes, columns, places);
        me.drawNodes(picture, nodes, columns, places);
        me.drawLines(picture, topology, nodes);
        picture.height = Math.max(y, bottom) + me.margin;
        return picture;
    },

    /** A frame for every network, and for whatever else containers are joined to, in order of their names. */
    framesOf({ nodes: all, edges }, nodes) {
        const frames = new Map(
            all
                .filter(({ kind }) => kind === 'network')
                .map((node) => [node.id, { node, members: [] }]),
        );
        for (const edge of edges) {
            const [one, other] = [nodes.get(edge.from), nodes.get(edge.to)];
            if (!one || !other || (one.kind === 'container') === (other.kind === 'container'))
                continue;
            const [container, node] = one.kind === 'container' ? [one, other] : [other, one];
            if (!frames.has(node.id)) frames.set(node.id, { node, members: [] });
            frames.get(node.id).members.push({
                container,
                label: edge.label ?? '',
                state: edge.state ?? container.state,
            });
        }
        const sorted = [...frames.values()].sort((a, b) =>
            String(a.node.name).localeCompare(String(b.node.name)),
        );
        for (const { members } of sorted)
            members.sort(
                (a, b) =>
                    (a.container.vmid ?? 0) - (b.container.vmid ?? 0) ||
                    a.label.localeCompare(b.label),
            );
        return sorted;
    },

    /** Kinds of nodes that are there, one column each. */
    columnsOf(nodes) {
        const used = new Set();
        for (const { kind } of nodes.values())
            if (kind in this.columnOf) used.add(this.columnOf[kind]);
        return [0, 1, 2].filter((column) => used.has(column));
    },

    counts(members) {
        return this.worst
            .map((state) => ({
                state,
                count: members.filter((member) => member.state === state).length,
            }))
            .filter(({ count }) => count > 0);
    },

    /** Draws the boxes of a frame; returns its height. */
    drawFrame(picture, { node, members }, { left, top, perRow, folds, unfolded }) {
        const me = this;
        const foldable = folds && members.length > me.smallFrame;
        const open = !foldable || unfolded.has(node.id);
        let shown = members;
        if (foldable) {
            const byState = [...members].sort(
                (a, b) => me.worst.indexOf(a.state) - me.worst.indexOf(b.state),
            );
            shown = open
                ? byState.slice(0, me.unfoldedAtMost)
                : byState
                      .filter(({ state }) => state === 'critical' || state === 'warning')
                      .slice(0, me.foldedTrouble);
        }
        let row = 0;
        if (foldable) {
            picture.boxes.push({
                kind: 'fold',
                key: `fold:${node.id}`,
                node,
                open,
                count: members.length,
                hidden: members.length - shown.length,
                counts: me.counts(members),
                state: 'off',
                x: left + me.gap,
                y: top + me.gap,
                width: Math.max(
                    me.box.width * 2,
                    Math.min(perRow, 3) * (me.box.width + me.gap) - me.gap,
                ),
                height: me.box.height,
            });
            row = 1;
        }
        shown.forEach(({ container, label, state }, index) => {
            picture.boxes.push({
                kind: 'container',
                key: `${container.id}@${node.id}/${label}`,
                node: container,
                network: node.name,
                label,
                state,
                x: left + me.gap + (index % perRow) * (me.box.width + me.gap),
                y: top + me.gap + (row + Math.floor(index / perRow)) * (me.box.height + me.gap),
                width: me.box.width,
                height: me.box.height,
            });
        });
        const rows = row + Math.ceil(shown.length / perRow);
        if (rows === 0) return me.node.height;
        const height = rows * (me.box.height + me.gap) + me.gap;
        picture.frames.push({
            id: node.id,
            state: me.counts(members)[0]?.state ?? 'off',
            x: left,
            y: top,
            width: picture.width - left - me.margin,
            height,
        });
        return height;
    },

    /** Heights of the nodes without a frame: beside what they are joined to, without touching each other. Returns the lowest end. */
    placeColumns({ edges }, nodes, columns, places) {
        const me = this;
        let bottom = 0;
        for (const column of [...columns].reverse()) {
            const here = [...nodes.values()].filter((node) => me.columnOf[node.kind] === column);
            const wish = (node) => {
                if (places.has(node.id)) return places.get(node.id);
                const near = edges
                    .filter(({ from, to }) => from === node.id || to === node.id)
                    .map(({ from, to }) => places.get(from === node.id ? to : from))
                    .filter((place) => place !== undefined);
                return near.length > 0
                    ? near.reduce((sum, place) => sum + place, 0) / near.length
                    : Number.POSITIVE_INFINITY;
            };
            const wishes = here
                .map((node) => ({ node, y: wish(node) }))
                .sort(
                    (a, b) => a.y - b.y || String(a.node.name).localeCompare(String(b.node.name)),
                );
            let free = me.margin;
            for (const { node, y } of wishes) {
                const place = Number.isFinite(y) ? Math.max(y, free) : free;
                places.set(node.id, place);
                free = place + me.node.height + me.gap;
                bottom = Math.max(bottom, free);
            }
        }
        return bottom;
    },

    drawNodes(picture, nodes, columns, places) {
        const me = this;
        for (const node of nodes.values()) {
            const column = columns.indexOf(me.columnOf[node.kind]);
            if (column < 0) continue;
            picture.boxes.push({
                kind: node.kind,
                key: node.id,
                node,
                state: node.state,
                x: me.margin + column * (me.node.width + me.columnGap),
                y: places.get(node.id),
                width: me.node.width,
                height: me.node.height,
            });
        }
    },

    drawLines(picture, { edges }, nodes) {
        const boxes = new Map(
            picture.boxes.filter(({ kind }) => kind in this.columnOf).map((box) => [box.key, box]),
        );
        for (const edge of edges) {
            const ends = [boxes.get(edge.from), boxes.get(edge.to)];
            if (ends[0] && ends[1])
                picture.lines.push({
                    state: edge.state ?? 'good',
                    path: this.curve(...ends.sort((a, b) => a.x - b.x)),
                });
        }
        for (const frame of picture.frames) {
            const box = boxes.get(frame.id);
            if (box && nodes.has(frame.id))
                picture.lines.push({
                    state: frame.state,
                    path: this.curve(box, {
                        ...frame,
                        height: Math.min(frame.height, this.node.height),
                    }),
                });
        }
    },

    /** From the right end of one to the left end of the other; two of one column are joined around their right. */
    curve(from, to) {
        const [x1, y1] = [from.x + from.width, from.y + from.height / 2];
        const y2 = to.y + to.height / 2;
        if (from.x === to.x) {
            const x2 = to.x + to.width;
            return `M${x1},${y1} C${x1 + 30},${y1} ${x2 + 30},${y2} ${x2},${y2}`;
        }
        const middle = (x1 + to.x) / 2;
        return `M${x1},${y1} C${middle},${y1} ${middle},${y2} ${to.x},${y2}`;
    },
});
