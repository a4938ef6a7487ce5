"""Very many acts of one session, and what the record says of them."""

import json
import subprocess

LEAF = 'int main(void) { return 0; }\n'
# Starts argv[1] argv[2] times, one after the other, and says so after each argv[3] of them.
SPINNER = r'''
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
extern char **environ;
int main(int argc, char **argv) {
  long ran = 0, all = argc == 4 ? atol(argv[2]) : 0, share = argc == 4 ? atol(argv[3]) : 1;
  for (long i = 1; i <= all; i++) {
    char *leaf[] = {argv[1], NULL};
    pid_t pid;
    int status;
    if (!posix_spawn(&pid, argv[1], NULL, NULL, leaf, environ) && waitpid(pid, &status, 0) == pid && status == 0) ran++;
    if (i % share == 0) { printf("%ld\n", i); fflush(stdout); }
  }
  printf("ran %ld\n", ran);
  return 0;
}
'''
# Starts argv[1] again and again until the file argv[2] is there, says so after each argv[3] of them, and rests for argv[4]
# microseconds after each.
STEADY = r'''
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv) {
  long i = 0, ran = 0, share = argc == 5 ? atol(argv[3]) : 1, rest_us = argc == 5 ? atol(argv[4]) : 0;
  for (; argc == 5 && access(argv[2], F_OK) != 0; usleep(rest_us)) {
    char *leaf[] = {argv[1], NULL};
    pid_t pid;
    int status;
    if (!posix_spawn(&pid, argv[1], NULL, NULL, leaf, environ) && waitpid(pid, &status, 0) == pid && status == 0) ran++;
    if (++i % share == 0) { printf("%ld\n", i); fflush(stdout); }
  }
  printf("ran %ld of %ld\n", ran, i);
  return 0;
}
'''
# Connects argv[2] times to port argv[1] of this host, and says so after each argv[3] of them.
CONNECTOR = r'''
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(argc == 4 ? atoi(argv[1]) : 0)};
  long all = argc == 4 ? atol(argv[2]) : 0, share = argc == 4 ? atol(argv[3]) : 1;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (long i = 1; i <= all; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(fd, (struct sockaddr *)&to, sizeof(to));
    close(fd);
    if (i % share == 0) { printf("%ld\n", i); fflush(stdout); }
  }
  return 0;
}
'''


class Tally:
    """Of the acts of all sessions of a gate. Read when it has ended: then nothing is on its way to the record."""

    def __init__(self, gate):
        self.ids, self.connects = set(), 0  # exec ids that the record has one by one; connects
        self.counted = {'exec': 0, 'connect': 0}  # those that it has as numbers
        self.losses = []
        argv = [gate.bin / 'holdpoint', '--run', gate.run, '--state', gate.state, '--json', 'events']
        with subprocess.Popen(list(map(str, argv)), stdout=subprocess.PIPE, text=True) as events:
            for line in events.stdout:
                self._add(json.loads(line))

    def _add(self, event):
        if event['type'] == 'exec':
            self.ids.add(event['exec']['process']['exec_id'])
        elif event['type'] == 'outcome' and event['outcome'].get('exec_id'):
            self.ids.add(event['outcome']['exec_id'])  # killed before anybody could look at it
        elif event['type'] == 'connect':
            self.connects += 1
        elif event['type'] == 'rollup':
            self.counted[event['rollup']['kind']] += int(event['rollup']['count'])
        elif event['type'] == 'loss':
            self.losses.append(event['loss'])

    def lost(self, what):
        return sum(int(loss['count']) for loss in self.losses
                   if loss['stage'] == 'gate' and loss['reason'].startswith(f'{what} not written'))

    def execs(self):
        """Recorded, counted or declared as lost."""
        return len(self.ids) + self.counted['exec'] + self.lost('execs')

    def all_connects(self):
        return self.connects + self.counted['connect'] + self.lost('connects')
