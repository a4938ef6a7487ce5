"""scripts/bench stream: the record on its way, with a real broker on the same machine. Not a test: nothing is asserted."""

import os
import pathlib
import subprocess

from e2e import isolation, kafka

BENCH = pathlib.Path(os.environ['HP_BUILD_DIR']) / 'bench' / 'stream_bench'
COUNT = os.environ.get('HP_BENCH_EVENTS', '500000')
SECONDS = os.environ.get('HP_BENCH_SECONDS', '10')


def run(*words):
    subprocess.run([BENCH, *words], check=True, cwd='/var/tmp')  # on a disk, as a spool is


def main():
    place = isolation.enter()
    run('spool', COUNT)
    broker = kafka.Broker(place / 'broker')
    try:
        for topic in ('drain', 'delay'):
            broker.topic(topic, 6)
        run('drain', broker.address, 'drain', COUNT)
        for rate in ('100', '1000', '10000'):
            run('delay', broker.address, 'delay', rate, SECONDS)
    finally:
        broker.stop()


if __name__ == '__main__':
    main()
