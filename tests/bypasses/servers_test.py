"""Acts by somebody else, out of the scope, later, or elsewhere."""

import subprocess
import unittest

from e2e import isolation
from scene import DECLARED, PORT, PRODUCTION, STOPPED, Scene, declared, row, setUpModule  # noqa: F401


class Servers(Scene):
    @row('C12', 'a file that somebody else executes later: a git hook, a start-up file, a watcher', DECLARED)
    def test_C12_what_a_person_runs_later_is_the_person_s(self):
        declared('what a session leaves in files that they execute later (hooks, start-up files, CI) runs as theirs')
        target = self.target()
        hook = self.world.workspace / '.git' / 'hooks' / 'pre-commit'
        done = self.session(f"printf '#!/bin/sh\\nrm {target}\\n' > {hook}; chmod 755 {hook}; "
                            'git -c user.name=t -c user.email=t@example.com commit -q --allow-empty -m x')
        self.assertTrue(target.exists(), done)  # by the session itself it is judged
        subprocess.run(self.world.scope.command(
            ['git', '-c', 'user.name=t', '-c', 'user.email=t@example.com', 'commit', '-q', '--allow-empty', '-m', 'x'],
            self.world.uid), cwd=self.world.workspace, env=self.world.environment(), check=True, timeout=60)
        self.assertFalse(target.exists())
        hook.unlink()

    def leave(self):
        """(the cgroup outside the scope, the shell text that moves there); root may."""
        outside = isolation.Scope('outside')
        self.addCleanup(outside.end)
        return outside, f'echo 0 > {outside.path}/cgroup.procs'

    @row('C15', 'the session moves itself into a cgroup outside the scope', STOPPED)
    def test_C15_the_label_stays_where_the_scope_ends(self):
        outside, leave = self.leave()
        target = self.target()
        done = self.session(f'sh -c "{leave} && rm {target}; echo rc=\\$?"', uid=0)
        self.assertEqual(done.out, 'rc=126\n', done.err)
        self.assertTrue(target.exists())
        done = self.session(f'sh -c "{leave} && grep -c {outside.path.name} /proc/self/cgroup; rm nothing-there 2>&- || '
                            'echo passed"', uid=0)
        self.assertEqual(done.out, '1\npassed\n', done.err)

    @row('C15', 'connects from a cgroup outside the scope', DECLARED)
    def test_C15_connects_outside_the_scope_are_not_seen(self):
        declared("**A session that moves out of the scope's cgroup** keeps its label and its execs are judged; "
                 'its connects are no longer seen.')
        _, leave = self.leave()
        connect = f': > /dev/tcp/{PRODUCTION}/{PORT}'
        self.assertIn('not permitted', self.session(connect, with_shell='bash', uid=0).err)
        done = self.session(f'{leave}; {connect}', with_shell='bash', uid=0)
        self.assertIn('refused', done.err)  # by the peer: nothing listens there

    @row('C16', 'loss that is only scheduled: key deletion, life cycles, retention, no replicas, in curl\'s arguments', STOPPED)
    def test_C16_scheduled_loss_is_destroying(self):
        # No name is looked up for what is refused (126); what passes finds no host (6).
        target = 'https://kms.eu-west-1.amazonaws.invalid/'
        attempts = {
            f"-H 'X-Amz-Target: TrentService.ScheduleKeyDeletion' -d '{{}}' {target}": '126',
            f"-H 'X-Amz-Target: TrentService.DescribeKey' -d '{{}}' {target}": '6',
            "-T/dev/null 'https://bucket.s3.invalid/?lifecycle'": '126',
            "'https://bucket.s3.invalid/?lifecycle'": '6',
            "-X PATCH -d '{\"spec\":{\"replicas\":0}}' https://k.invalid/apis/apps/v1/namespaces/shop/deployments/web": '126',
            "-X PATCH -d '{\"spec\":{\"replicas\":2}}' https://k.invalid/apis/apps/v1/namespaces/shop/deployments/web": '6',
        }
        for arguments, wanted in attempts.items():
            with self.subTest(arguments):
                done = self.session(f'curl -s {arguments}; echo $?')
                self.assertEqual(done.out.split(), [wanted], done)

    @row('C16', 'scheduled loss by a cloud\'s own tool (aws, gcloud, kubectl)', STOPPED)
    def test_C16_scheduled_loss_by_a_tool(self):
        for name in ('aws', 'kubectl'):
            stub = self.own(self.world.workspace / name, text='#!/bin/sh\necho on\n')
            stub.chmod(0o755)
        for attempt, wanted in {
                './aws kms schedule-key-deletion --key-id 1 --pending-window-in-days 7': '126',
                './aws kms describe-key --key-id 1': 'on 0',
                './aws logs put-retention-policy --log-group-name shop --retention-in-days 1': '126',
                './kubectl get deployment web': 'on 0'}.items():
            with self.subTest(attempt):
                done = self.session(f'{attempt}; echo $?')
                self.assertEqual(' '.join(done.out.split()), wanted, done)

    @row('C18', 'programs that start others: make, npm run, xargs, find, a CI runner on this host', STOPPED)
    def test_C18_each_exec_that_comes_back_is_judged(self):
        for attempt in (lambda file: f"printf 'all:\\n\\trm {file}\\n' > m; make -sf m",
                        lambda file: f'find {file} -exec rm {{}} +',
                        lambda file: f'timeout 60 nice env -i setsid -w /bin/rm {file}'):
            self.stops(attempt)

    @row('C18', 'what a script on another host does, ansible', DECLARED)
    def test_C18_the_remote_side_is_not_seen(self):
        declared('**What a remote side does.**', 'What a remote script does is not seen.')
        done = self.session('ssh -o BatchMode=yes -o ConnectTimeout=1 -p 9 127.0.0.1 /data/tidy; echo rc=$?')
        self.assertEqual(done.out, 'rc=255\n', done.err)  # ssh itself ran, and found nobody


if __name__ == '__main__':
    unittest.main(verbosity=2)
