/* Words and colours of the states that the service speaks of, one table for each kind of thing.
 * What is not in it (a newer service) is shown by its own word, without a colour. */
Ext.define('PVECNI.States', {
    singleton: true,

    tables: {
        interface: {
            attached: ['good', gettext('attached')],
            configured: ['off', gettext('container not running')],
            stopped: ['off', gettext('container not running')],
            adding: ['busy', gettext('being attached')],
            removing: ['busy', gettext('being removed')],
            waiting: ['busy', gettext('waits for its policy')],
            degraded: ['warning', gettext('not as it should be')],
            missing: ['critical', gettext('missing')],
            failed: ['critical', gettext('failed')],
            leftover: ['warning', gettext('left over')],
        },
        network: {
            ready: ['good', gettext('ready')],
            absent: ['off', gettext('made when it is needed')],
            differs: ['warning', gettext('differs')],
            failed: ['critical', gettext('failed')],
        },
        outcome: {
            ok: ['good', gettext('OK')],
            failed: ['critical', gettext('failed')],
            refused: ['warning', gettext('refused')],
            cancelled: ['off', gettext('cancelled')],
            interrupted: ['warning', gettext('interrupted')],
        },
        policy: {
            'in-force': ['good', gettext('in force')],
            'not-in-force': ['warning', gettext('not in force yet')],
            'not-enforced': ['warning', gettext('not enforced')],
            refused: ['critical', gettext('refused')],
            absent: ['off', gettext('not attached here')],
        },
        service: {
            ready: ['good', gettext('ready')],
            degraded: ['warning', gettext('some backends are down')],
            down: ['critical', gettext('down')],
            refused: ['critical', gettext('refused')],
            pending: ['busy', gettext('being set up')],
            unavailable: ['critical', gettext('agent does not answer')],
        },
        check: {
            ok: ['good', gettext('OK')],
            warning: ['warning', gettext('warning')],
            bad: ['critical', gettext('bad')],
            skipped: ['off', gettext('skipped')],
        },
        verdict: {
            forwarded: ['good', gettext('forwarded')],
            allow: ['good', gettext('allowed')],
            dropped: ['critical', gettext('dropped')],
            deny: ['critical', gettext('denied')],
            error: ['warning', gettext('error')],
            audit: ['warning', gettext('audit')],
        },
        health: {
            good: ['good', gettext('OK')],
            warning: ['warning', gettext('warning')],
            critical: ['critical', gettext('failed')],
            off: ['off', gettext('off')],
        },
        agent: {
            ok: ['good', gettext('OK')],
            degraded: ['warning', gettext('degraded')],
            unreachable: ['critical', gettext('does not answer')],
            off: ['off', gettext('not installed')],
        },
        backend: {
            up: ['good', gettext('up')],
            down: ['critical', gettext('down')],
        },
        address: {
            reserved: ['good', gettext('reserved')],
            kept: ['off', gettext('kept back')],
        },
    },

    of: function (subject, value) {
        let entry = this.tables[subject]?.[value];
        return entry
            ? { level: entry[0], text: entry[1] }
            : { level: 'unknown', text: value ? String(value) : Proxmox.Utils.unknownText };
    },
});
