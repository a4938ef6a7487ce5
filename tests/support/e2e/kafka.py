"""A real broker, started for one test."""

import os
import pathlib
import subprocess
import threading

_SCRIPT = pathlib.Path(__file__).resolve().parents[3] / 'scripts' / 'kafka'


class Broker:
    """One Kafka node on 127.0.0.1:`port` with its data below `folder`. Ready when the constructor returns."""

    def __init__(self, folder, port=19092):
        self.port = port
        self.address = f'127.0.0.1:{port}'
        self.folder = pathlib.Path(folder)
        subprocess.run([_SCRIPT, 'fetch'], check=True)
        self.start()

    def start(self):
        self.process = subprocess.Popen([_SCRIPT, 'run', self.folder, str(self.port)], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                                        env={'HOME': os.environ.get('HOME', '/root'), 'PATH': os.environ['PATH'],
                                             **{k: v for k, v in os.environ.items() if k == 'XDG_CACHE_HOME'}})
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if 'Kafka Server started' in line:
                break
        else:
            raise RuntimeError('the broker ended: ' + ''.join(seen[-20:]))
        # Its log goes on; a full pipe would stop it.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def topic(self, name, partitions=3):
        subprocess.run([_SCRIPT, 'topic', str(self.port), name, str(partitions)], check=True)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)
