#!/usr/bin/python3
# Stands in for pmxcfs, Proxmox's cluster filesystem under /etc/pve, as measured on the real one: forced owners and modes, no chmod, no
# links, files of at most 1 MiB, renames that refuse folders with something inside, one winner of O_EXCL in the whole cluster, names that
# other nodes removed and that are seen for a second more, no quorum (read-only modes, EACCES), writes that hang and then fail, lock
# folders that expire when they are asked to, the links `local` and `lxc`, and .version, .vmlist, .members. One process is one node; nodes
# of one cluster share the backing folder. Not stood in for: corosync, speed, the other generated files, crashes.
#
#   pmxcfs.py --backing DIR --control DIR --node NAME [--lock-seconds N] MOUNTPOINT
#
# Files in the control folder change its mind: NODE.noquorum, NODE.blocked (what changes something waits for its end), NODE.offline. It says
# NODE.waits when something waits.
import argparse, contextlib, errno, json, os, re, stat, threading, time
from fusepy import FUSE, FuseOSError, Operations

MAX_BYTES = 1024 * 1024
WWW_DATA = 33
GENERATED = ('.version', '.vmlist', '.members')
# paths whose changes .version counts; those of containers are counted as vmlist
COUNTED = ('user.cfg', 'storage.cfg', 'ha/manager_status', 'ha/resources.cfg', 'ha/crm_commands')
CONFIG = re.compile(r'^/nodes/[^/]+/(lxc|qemu-server)/([1-9]\d{2,8})\.conf$')


def fail(number):
    raise FuseOSError(number)


class Pmxcfs(Operations):
    def __init__(self, backing, control, node, lock_seconds):
        self.backing, self.control, self.node, self.lock_seconds = backing, control, node, lock_seconds
        self.links = {'/local': f'nodes/{node}', '/lxc': f'nodes/{node}/lxc', '/qemu-server': f'nodes/{node}/qemu-server'}
        self.mutex = threading.Lock()
        for folder in ('priv/lock', 'ha', f'nodes/{node}/lxc', f'nodes/{node}/qemu-server', f'nodes/{node}/priv'):
            os.makedirs(f'{backing}/{folder}', exist_ok=True)

    # --- where things are ---

    def real(self, path):
        for link, target in self.links.items():
            if path.startswith(link + '/'):
                path = '/' + target + path[len(link):]
        return self.backing + path

    def logical(self, path):
        return self.real(path)[len(self.backing):]

    def is_told(self, what):
        return os.path.exists(f'{self.control}/{self.node}.{what}')

    def is_private(self, path):
        return bool(re.match(r'^/(priv|nodes/[^/]+/priv)(/|$)', self.logical(path)))

    def is_lock(self, path):
        return os.path.dirname(self.logical(path)) == '/priv/lock'

    # --- changes ---

    def changing(self, path, exclusive=False):
        if path[1:] in GENERATED or path in self.links:
            fail(errno.EACCES)
        if exclusive and os.path.lexists(self.real(path)):
            fail(errno.EEXIST)
        if self.is_told('noquorum'):
            fail(errno.EACCES)
        if self.is_told('blocked'):
            open(f'{self.control}/{self.node}.waits', 'w').close()
            while self.is_told('blocked'):
                time.sleep(0.02)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f'{self.control}/{self.node}.waits')
            if self.is_told('noquorum'):
                fail(errno.EPERM)

    def changed(self, *paths):
        for path in paths:
            logical = self.logical(path)
            counter = 'vmlist' if CONFIG.match(logical) else logical[1:].replace('/', '_') if logical[1:] in COUNTED else None
            if counter:
                with open(f'{self.control}/count.{counter}', 'ab') as file:
                    file.write(b'.')

    def count(self, name):
        try:
            return os.stat(f"{self.control}/count.{name.replace('/', '_')}").st_size
        except FileNotFoundError:
            return 0

    # --- generated files ---

    def generated(self, name):
        nodes = sorted(os.listdir(f'{self.backing}/nodes'))
        if name == '.version':
            counts = {path: self.count(path) for path in COUNTED}
            return {'starttime': 1000, 'clinfo': 1, 'vmlist': 1 + self.count('vmlist'), **counts, 'kvstore': {}}
        if name == '.vmlist':
            ids = {}
            for node in nodes:
                for kind, folder in (('lxc', 'lxc'), ('qemu', 'qemu-server')):
                    path = f'{self.backing}/nodes/{node}/{folder}'
                    for file in os.listdir(path) if os.path.isdir(path) else []:
                        match = CONFIG.match(f'/nodes/{node}/{folder}/{file}')
                        if match:
                            ids[match[2]] = {'node': node, 'type': kind, 'version': 1}
            return {'version': 1 + self.count('vmlist'), 'ids': ids}
        quorate = 0 if self.is_told('noquorum') else 1
        online = lambda node: 0 if os.path.exists(f'{self.control}/{node}.offline') else 1
        nodelist = {node: {'id': i + 1, 'online': online(node), 'ip': f'10.99.0.{i + 1}'} for i, node in enumerate(nodes)}
        cluster = {'name': 'lab', 'version': 1, 'nodes': len(nodes), 'quorate': quorate}
        return {'nodename': self.node, 'version': 1, 'cluster': cluster, 'nodelist': nodelist}

    def text(self, path):
        return json.dumps(self.generated(path[1:]), indent=1).encode()

    # --- looking ---

    def getattr(self, path, fh=None):
        now = time.time()
        owner = {'st_uid': 0, 'st_gid': WWW_DATA}
        read_only = self.is_told('noquorum')
        if path in self.links:
            mode = stat.S_IFLNK | (0o555 if read_only else 0o755)
            return {**owner, 'st_mode': mode, 'st_nlink': 1, 'st_size': len(self.links[path]), 'st_mtime': now}
        if path[1:] in GENERATED:
            return {**owner, 'st_mode': stat.S_IFREG | 0o440, 'st_nlink': 1, 'st_size': len(self.text(path)), 'st_mtime': now}
        try:
            found = os.lstat(self.real(path))
        except OSError as error:
            fail(error.errno)
        private = self.is_private(path)
        if stat.S_ISDIR(found.st_mode):
            mode = stat.S_IFDIR | (0o700 if private else 0o755)
            if read_only and path != '/':
                mode &= ~0o222
        else:
            mode = stat.S_IFREG | (0o600 if private else 0o640)
            if read_only:
                mode &= ~0o222
        seconds = int(found.st_mtime)
        times = {'st_mtime': seconds, 'st_atime': seconds, 'st_ctime': seconds}
        return {**owner, **times, 'st_mode': mode, 'st_nlink': 2 if stat.S_ISDIR(mode) else 1, 'st_size': found.st_size}

    def readdir(self, path, fh):
        names = os.listdir(self.real(path))
        return ['.', '..', *names, *([*GENERATED, *(link[1:] for link in self.links)] if path == '/' else [])]

    def readlink(self, path):
        return self.links.get(path) or fail(errno.EINVAL)

    def open(self, path, flags):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_TRUNC):
            self.changing(path)
        if path[1:] not in GENERATED and not os.path.exists(self.real(path)):
            fail(errno.ENOENT)
        return 0

    def read(self, path, size, offset, fh):
        if path[1:] in GENERATED:
            return self.text(path)[offset:offset + size]
        try:
            with open(self.real(path), 'rb') as file:
                file.seek(offset)
                return file.read(size)
        except OSError as error:
            fail(error.errno)

    def statfs(self, path):
        return {'f_bsize': 4096, 'f_frsize': 4096, 'f_blocks': 32768, 'f_bfree': 32000, 'f_bavail': 32000, 'f_files': 262144, 'f_ffree': 260000,
                'f_namemax': 256}

    def access(self, path, mode):
        return 0

    # --- changing files ---

    def create(self, path, mode, fi=None):
        self.changing(path)
        try:
            # the kernel asks only for names that it does not know: another node may be first
            os.close(os.open(self.real(path), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError as error:
            fail(error.errno)
        self.changed(path)
        return 0

    def mknod(self, path, mode, dev):
        if not stat.S_ISREG(mode):
            fail(errno.ENOSYS)
        self.create(path, mode)

    def write(self, path, data, offset, fh):
        self.changing(path)
        if offset >= MAX_BYTES:
            fail(errno.EFBIG)
        data = data[:MAX_BYTES - offset]
        try:
            with open(self.real(path), 'r+b') as file:
                file.seek(offset)
                file.write(data)
        except OSError as error:
            fail(error.errno)
        self.changed(path)
        return len(data)

    def truncate(self, path, length, fh=None):
        self.changing(path)
        if length > MAX_BYTES:
            fail(errno.EFBIG)
        if length > 0 and os.stat(self.real(path)).st_size == 0:
            os._exit(139)  # the real one dies, too
        os.truncate(self.real(path), length)
        self.changed(path)

    def unlink(self, path):
        if not os.path.lexists(self.real(path)):
            fail(errno.ENOENT)
        self.changing(path)
        try:
            os.unlink(self.real(path))
        except OSError as error:
            fail(error.errno)
        self.changed(path)

    def rename(self, old, new):
        self.changing(old)
        if self.is_lock(old) or self.is_lock(new):
            fail(errno.EACCES)
        source, target = self.real(old), self.real(new)
        if os.path.isdir(source) and os.listdir(source):
            fail(errno.ENOTEMPTY)
        if os.path.isfile(source) and os.path.isdir(target):
            fail(errno.EISDIR)
        try:
            os.rename(source, target)
        except OSError as error:
            fail(error.errno)
        self.changed(old, new)

    def utimens(self, path, times=None):
        if self.is_lock(path) and os.path.isdir(self.real(path)):
            return self.renew(path, times)
        self.changing(path)
        seconds = int(times[1] if times else time.time())
        os.utime(self.real(path), (seconds, seconds))

    def chmod(self, path, mode):
        allowed = 0o600 if self.is_private(path) else 0o640
        if mode & 0o7777 != allowed:
            fail(errno.EPERM)

    def chown(self, path, uid, gid):
        if uid not in (0, -1, 0xFFFFFFFF) or gid not in (WWW_DATA, -1, 0xFFFFFFFF):
            fail(errno.EPERM)

    # --- folders and locks ---

    def mkdir(self, path, mode):
        self.changing(path, exclusive=True)
        try:
            os.mkdir(self.real(path))
        except OSError as error:
            fail(error.errno)
        if self.is_lock(path):
            with open(self.holder(path), 'w') as file:
                file.write(self.node)

    def rmdir(self, path):
        self.changing(path)
        try:
            os.rmdir(self.real(path))
        except OSError as error:
            fail(error.errno)

    def holder(self, path):
        return f'{self.control}/lock.{os.path.basename(path)}'

    def renew(self, path, times):
        self.changing(path)
        real = self.real(path)
        if times and int(times[1]) == 0:
            with self.mutex:
                if time.time() - os.stat(real).st_mtime >= self.lock_seconds:
                    os.rmdir(real)
            fail(errno.EACCES)
        with open(self.holder(path)) as file:
            if file.read() != self.node:
                fail(errno.EACCES)
        os.utime(real)

    # --- what there is not ---

    def symlink(self, target, source):
        fail(errno.ENOSYS)

    def link(self, target, source):
        fail(errno.EPERM)

    def getxattr(self, path, name, position=0):
        fail(errno.ENOTSUP)

    def listxattr(self, path):
        fail(errno.ENOTSUP)

    def setxattr(self, path, name, value, options, position=0):
        fail(errno.ENOTSUP)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    for name in ('backing', 'control', 'node'):
        parser.add_argument(f'--{name}', required=True)
    parser.add_argument('--lock-seconds', type=float, default=120)
    parser.add_argument('mountpoint')
    given = parser.parse_args()
    FUSE(Pmxcfs(given.backing, given.control, given.node, given.lock_seconds), given.mountpoint, foreground=True, direct_io=True,
         allow_other=True, default_permissions=True, fsname='pmxcfs', subtype='pmxcfs')
