/* Keeps a store fresh for as long as its component can be seen: begins when it is shown, pauses while it or
 * what it stands in is hidden behind another tab or while it is halted (`isHalted`), ends with it. Nothing is asked
 * for after that. */
Ext.define('PVECNI.Follow', {
    singleton: true,

    begin: function (component, store) {
        let look = () => {
            let isSeen =
                component.rendered &&
                !component.destroying &&
                !component.isHalted &&
                component.isVisible(true);
            if (isSeen && store.getIsStopped()) {
                store.startUpdate();
            } else if (!isSeen && !store.getIsStopped()) {
                store.stopUpdate();
            }
        };
        let events = ['activate', 'show', 'expand', 'deactivate', 'hide', 'collapse'];
        let watch = () => {
            for (let around = component; around; around = around.ownerCt) {
                for (let event of events) component.mon(around, event, look);
            }
            look();
        };

        if (component.rendered) {
            watch();
        } else {
            component.on('afterrender', watch, null, { single: true });
        }
        component.on('destroy', () => store.stopUpdate());
    },
});
