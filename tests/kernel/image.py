"""Debian's kernels and a small system to boot them with, in an emulator: nothing is installed, nothing needs KVM."""

import gzip
import lzma
import os
import pathlib
import re
import select
import shutil
import subprocess
import tempfile
import time

CACHE = pathlib.Path(os.environ.get('HP_CACHE', pathlib.Path.home() / '.cache' / 'holdpoint')) / 'kernels'

# For a disk, in the order in which they are loaded; one that is not there is part of the kernel.
MODULES = ('loop', 'crc16', 'crc32c_generic', 'libcrc32c', 'mbcache', 'jbd2', 'ext4')


def newest_package(series):
    """Debian's newest cloud kernel of a series, "6.1" or "6.12"."""
    found = subprocess.run(['apt-cache', 'pkgnames', f'linux-image-{series}.'], capture_output=True, text=True,
                           check=True).stdout.split()
    pattern = re.compile(rf'linux-image-{re.escape(series)}\.([\d.]+)(-(\d+)|\+deb12)-cloud-amd64$')
    ranked = sorted((tuple(map(int, m[1].split('.'))), int(m[3] or 0), name)
                    for name in found for m in [pattern.match(name)] if m)
    if not ranked:
        raise RuntimeError(f'no cloud kernel {series} in the package lists: run apt-get update')
    return ranked[-1][2]


def kernel(series):
    """(package, path of the kernel image), fetched once and kept, with MODULES beside it."""
    package = newest_package(series)
    folder = CACHE / package
    if not list(folder.glob('vmlinuz-*')) or not (folder / 'modules').is_dir():
        with tempfile.TemporaryDirectory() as work:
            os.chmod(work, 0o755)
            subprocess.run(['apt-get', '-q', 'download', package], cwd=work, check=True, stdout=subprocess.DEVNULL)
            subprocess.run(['dpkg', '-x', str(next(pathlib.Path(work).glob('*.deb'))), f'{work}/x'], check=True)
            folder.mkdir(parents=True, exist_ok=True)
            for image in pathlib.Path(work, 'x', 'boot').glob('vmlinuz-*'):
                shutil.copy(image, folder)
            (folder / 'modules').mkdir(exist_ok=True)
            for name in MODULES:
                for module in pathlib.Path(work, 'x').rglob(f'{name}.ko*'):
                    packed = module.read_bytes()
                    (folder / 'modules' / f'{name}.ko').write_bytes(lzma.decompress(packed) if module.suffix == '.xz' else packed)
    return package, next(folder.glob('vmlinuz-*'))


class System:
    """A root file system that becomes an initramfs."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        for folder in ('bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'run', 'usr', 'var/lib'):
            (self.root / folder).mkdir(parents=True)

    def program(self, source, target=None, strip=False):
        """Copies a program and every library that it names."""
        source = pathlib.Path(source).resolve()
        copy = self.root / (target or f'bin/{source.name}')
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
        if strip:
            subprocess.run(['strip', '-g', copy], check=True)
        listed = subprocess.run(['ldd', source], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r'(/\S+) \(0x', listed):
            there = self.root / library.lstrip('/')
            if not there.exists():
                there.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(pathlib.Path(library).resolve(), there)

    def text(self, name, text, mode=0o644):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
        path.chmod(mode)

    def disk(self, programs):
        """An ext4 file system, `disk.img`, with these programs: the files of the system itself lie in memory."""
        with tempfile.TemporaryDirectory() as work:
            for program in programs:
                shutil.copy(program, work)
            subprocess.run(['/usr/sbin/mke2fs', '-q', '-t', 'ext4', '-I', '256', '-d', work, self.root / 'disk.img', '8M'],
                           check=True)

    def pack(self, target):
        names = '\0'.join(str(p.relative_to(self.root)) for p in self.root.rglob('*'))
        archive = subprocess.run(['cpio', '--null', '-o', '--quiet', '-H', 'newc', '-R', '0:0'], cwd=self.root,
                                 input=names.encode(), capture_output=True, check=True).stdout
        with gzip.open(target, 'wb', compresslevel=1) as out:
            out.write(archive)


def boot(image, initramfs, seconds, log=None, memory=1536, cpus=2):
    """Boots and gives what the serial console said until the machine switched itself off; `log` gets it as it comes."""
    process = subprocess.Popen(
        ['qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-m', str(memory), '-smp', str(cpus), '-nographic',
         '-no-reboot', '-kernel', image, '-initrd', initramfs, '-append', 'console=ttyS0 panic=-1 quiet no_timer_check'],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + seconds
    console = b''
    try:
        while time.monotonic() < deadline:
            if not select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                break
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                break
            console += chunk
            if log:
                log.write(chunk)
                log.flush()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return console.decode('utf-8', 'replace').replace('\r', '')
