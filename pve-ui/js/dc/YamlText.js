/* Sets plain values in the text of a YAML file and leaves the rest of it, comments too, as it was. It knows the two shapes that people write:
 * `key: value` at the left, and below a key a block of indented `key: value`; what it does not understand it does not touch. */
Ext.define('PVECNI.dc.YamlText', {
    singleton: true,

    /** @returns {string|null} the text with `path` (one or two keys) set to `value` (undefined: taken out); null: written in another shape */
    set: function (text, [key, ...rest], value) {
        const lines = text.replace(/\n+$/, '').split('\n');
        const at = lines.findIndex((line) => line.startsWith(`${key}:`));
        if (rest.length === 0) return this.finish(this.put(lines, at, '', key, value));
        if (at < 0) {
            if (value === undefined) return text;
            return this.finish([...lines, `${key}:`, `  ${rest[0]}: ${value}`]);
        }
        if (!/^[^:]+:\s*(#.*)?$/.test(lines[at])) return null;
        let end = at + 1;
        while (end < lines.length && /^(\s+\S|\s*(#.*)?$)/.test(lines[end])) end += 1;
        const block = lines.slice(at + 1, end);
        const indent = block.find((line) => /^\s+[^\s#]/.test(line))?.match(/^\s+/)[0] ?? '  ';
        const inner = block.findIndex((line) => line.startsWith(`${indent}${rest[0]}:`));
        const next = this.put(block, inner, indent, rest[0], value);
        const isEmpty = !next.some((line) => /^\s+[^\s#]/.test(line));
        return this.finish([
            ...lines.slice(0, at),
            ...(isEmpty ? [] : [lines[at]]),
            ...next,
            ...lines.slice(end),
        ]);
    },

    put: function (lines, at, indent, key, value) {
        const isBlock =
            at >= 0 &&
            /^\s+[^\s#]/.test(lines[at + 1] ?? '') &&
            (lines[at + 1].match(/^\s+/)?.[0].length ?? 0) > indent.length;
        let end = at + 1;
        while (
            isBlock &&
            /^\s/.test(lines[end] ?? '') &&
            lines[end].match(/^\s+/)[0].length > indent.length
        )
            end += 1;
        const line = value === undefined ? [] : [`${indent}${key}: ${value}`];
        return at < 0
            ? [...lines, ...line]
            : [...lines.slice(0, at), ...line, ...lines.slice(Math.max(end, at + 1))];
    },

    finish: function (lines) {
        const text = lines.join('\n').replace(/^\n+/, '');
        return text === '' ? '' : `${text}\n`;
    },
});
