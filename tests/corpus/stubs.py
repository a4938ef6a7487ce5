"""The root folder that each row finds: shells and harmless filters are real, every other program does nothing."""

import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
# They start other programs or only look and print: they behave as themselves.
REAL = '''sh bash dash env xargs timeout nice nohup setsid stdbuf find true false test [ echo printf cat tac head tail cut tr sed awk
mawk sort uniq wc grep egrep fgrep ls seq basename dirname base64 base32 od rev paste fold nl expr id whoami uname pwd date
mktemp mkdir touch tee printenv readlink realpath stat md5sum sha256sum cmp diff comm join which ionice chrt perl python3'''.split()
WORKSPACE = '/work/shop'  # of the root folder that cage.c makes, not of the host
NAME_MAX, PATH_MAX = 64, 200


class Template:
    """Lies in `folder`; belongs to `uid` where a developer's files would."""

    def __init__(self, folder, uid):
        self.folder, self.uid = pathlib.Path(folder), uid
        self.bin = self.folder / 'usr' / 'bin'
        for name in ('usr/bin', 'usr/lib', 'usr/lib64', 'usr/share', 'usr/local/bin', 'etc', 'proc', 'sys', 'dev', 'tmp', 'var/tmp',
                     'var/log', 'var/lib', 'home/dev', 'root', 'opt', 'srv', 'mnt', 'media', 'run', 'hp/bin', 'hp/run', 'work/shop'):
            (self.folder / name).mkdir(parents=True)
        for link, to in (('bin', 'usr/bin'), ('sbin', 'usr/bin'), ('lib', 'usr/lib'), ('lib64', 'usr/lib64'), ('usr/sbin', 'bin')):
            (self.folder / link).symlink_to(to)
        for name in ('tmp', 'var/tmp'):
            (self.folder / name).chmod(0o1777)
        self._devices()
        self._files()
        self._programs()

    def _devices(self):
        for name, minor in (('null', 3), ('zero', 5), ('full', 7), ('random', 8), ('urandom', 9)):
            os.mknod(self.folder / 'dev' / name, 0o020666, os.makedev(1, minor))
            (self.folder / 'dev' / name).chmod(0o666)
        # Files: no disk is behind them.
        for disk, before in (('sda', ''), ('sdb', ''), ('sdc', ''), ('sdd', ''), ('sdX', ''), ('vda', ''), ('vdb', ''), ('nvme0n1', 'p'),
                             ('nvme1n1', 'p'), ('mmcblk0', 'p')):
            for name in (disk, *(f'{disk}{before}{part}' for part in range(1, 9))):
                (self.folder / 'dev' / name).write_bytes(b'')

    def _files(self):
        etc = self.folder / 'etc'
        (etc / 'passwd').write_text(f'root:x:0:0::/root:/bin/bash\ndev:x:{self.uid}:{self.uid}::/home/dev:/bin/bash\n')
        (etc / 'group').write_text(f'root:x:0:\ndev:x:{self.uid}:\n')
        (etc / 'hosts').write_text('127.0.0.1 localhost\n')
        shop = self.folder / 'work' / 'shop'
        for name, text in (('README.md', '# shop\n'), ('Makefile', 'all:\n'), ('package.json', '{"name": "shop"}\n'), ('src/main.c', ''),
                           ('docker-compose.yml', 'services: {}\n'), ('.gitignore', 'build/\ndist/\nnode_modules/\ntarget/\n'),
                           ('build/out.o', ''), ('dist/out.js', ''), ('node_modules/x/index.js', '')):
            (shop / name).parent.mkdir(parents=True, exist_ok=True)
            (shop / name).write_text(text)
        git = ['git', '-c', 'user.name=dev', '-c', 'user.email=dev@example.com', '-c', 'init.defaultBranch=main']
        for command in (['init', '-q'], ['add', '.'], ['commit', '-qm', 'start']):
            subprocess.run([*git, *command], cwd=shop, check=True, env={'PATH': os.environ['PATH'], 'HOME': str(self.folder / 'root')})

    def _programs(self):
        for name in REAL:
            found = shutil.which(name, path='/usr/bin:/bin')
            if found:
                shutil.copy2(os.path.realpath(found), self.bin / name)
        (self.bin / 'python').symlink_to('python3')
        self.stub_image = self._compile('stub.S', '-nostdlib', '-Wl,-z,noseparate-code').read_bytes()
        through = self._compile('through.c')
        for name in ('sudo', 'doas'):
            shutil.copy2(through, self.bin / name)
        shutil.copy2(HERE / 'parallel.sh', self.bin / 'parallel')
        (self.bin / 'parallel').chmod(0o755)

    def _compile(self, name, *flags):
        target = self.folder.parent / pathlib.Path(name).stem
        subprocess.run(['gcc', '-O1', '-static', '-s', *flags, '-o', target, HERE / name], check=True)
        return target

    def add(self, words):
        """A program that does nothing under each of these names and paths, where there is none."""
        for word in words:
            path = self._place(word)
            if path is None or path.exists() or path.is_symlink():
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.stub_image + word.encode())
                path.chmod(0o755)
            except OSError:  # a file stands where a folder would have to
                continue

    def add_files(self, words, no_folders=False):
        """Something to lose under each of these paths: a file, or a folder with one in it unless `no_folders`."""
        for word in sorted(words, key=len, reverse=True):  # folders come to be by what lies in them
            path = self._file(word)
            if path is None or path.exists() or path.is_symlink():
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if not no_folders and (word.endswith('/') or '.' not in path.name.lstrip('.')):
                    path.mkdir()
                    path = path / 'data'
                path.write_bytes(b'data\n')
            except OSError:  # a file stands where a folder would have to
                continue

    def hand_over(self):
        """What was added belongs to whom a developer's files belong to."""
        for folder in ('work', 'home', 'opt', 'srv', 'tmp'):
            subprocess.run(['chown', '-R', '--no-dereference', f'{self.uid}:{self.uid}', self.folder / folder], check=True)

    def _file(self, word):
        if len(word) > PATH_MAX or word.rstrip('/') in ('', '.', '~'):
            return None
        if word.startswith('~'):
            name, _, rest = word[1:].partition('/')
            word = f'/home/{self._person(name or "dev")}/{rest}'
        word = os.path.normpath(os.path.join(WORKSPACE, word))
        parts = word.strip('/').split('/')
        if parts[0] in ('proc', 'sys', 'dev', 'hp', 'bin', 'sbin', 'lib', 'lib64') or parts[:2] in (['usr', 'bin'], ['usr', 'lib'], ['usr', 'lib64']):
            return None
        return self.folder.joinpath(*parts)

    def _person(self, name):
        """Somebody of this name has an account."""
        passwd = self.folder / 'etc' / 'passwd'
        text = passwd.read_text()
        if f'\n{name}:' not in f'\n{text}':
            passwd.write_text(f'{text}{name}:x:{self.uid + 1}:{self.uid + 1}::/home/{name}:/bin/bash\n')
        return name

    def _place(self, word):
        """Where a word that is called would be; None for what no program can be."""
        if len(word) > NAME_MAX or word in ('.', '..', '/', '~') or word.endswith('/') or '..' in word.split('/'):
            return None
        if '/' not in word:
            return self.bin / word if word[0].isalpha() or word[0] == '[' else None
        if word.startswith('~/'):
            word = '/home/dev/' + word[2:]
        if not word.startswith('/'):
            word = f'{WORKSPACE}/{word}'
        for prefix in ('/usr/bin/', '/bin/', '/sbin/', '/usr/sbin/'):
            if word.startswith(prefix):
                return self.bin / word[len(prefix):] if '/' not in word[len(prefix):] else None
        if word.split('/')[1] not in ('work', 'home', 'opt', 'srv', 'tmp') and not word.startswith('/usr/local/bin/'):
            return None
        return self.folder / word[1:]
