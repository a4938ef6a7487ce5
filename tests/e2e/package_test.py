"""Package managers: what their maintainer scripts do is recorded and not stopped half-way, and nobody hides behind them.

Real apt-get and dpkg, on a database, a repository and a configuration of the test's own.
"""

import unittest

from e2e import case, packages


def setUpModule():
    case.enter()


class Packages(case.GateCase):
    HOLD_MS = 1

    def config(self):
        self.deb = packages.Repository(self.world).add('day', f'rm {self.precious}/a')
        return super().config().replace('limits:', 'limits:\n  consult_ms: 10000')

    def run_root(self, shell):
        return self.finish(self.session(f'export PATH={packages.SYSTEM_PATH}; {shell}', uid=0))

    def judged(self, file):
        """The judgements on acts that name this file, with their blind spots."""
        return [(e['exec']['judgement']['verdict'], e.get('blind_spots', [])) for e in self.gate.events()
                if e['type'] == 'exec' and e['exec']['process'].get('argv', ['', ''])[1:] == [str(file)]]

    def assert_recorded_not_stopped(self, run):
        (verdict, blind_spots), = self.judged(self.precious / 'a')
        self.assertEqual(verdict, 'audit')
        self.assertTrue(any(spot.startswith(f'not stopped: a maintainer script below {run} (') for spot in blind_spots),
                        blind_spots)
        self.assertFalse((self.precious / 'a').exists())
        self.assertIn('package.run', [e['exec']['judgement']['rule'] for e in self.gate.events() if e['type'] == 'exec'])

    def assert_stopped(self, file, code, err):
        self.assertTrue(file.exists(), err)
        self.assertIn(self.judged(file)[-1][0], ('hold', 'refuse'), err)
        self.assertIn('holdpoint: REFUSED', err)
        self.assertNotEqual(code, 0)

    def test_apt_get_install_is_recorded_and_its_session_s_own_rm_is_not_covered(self):
        b = self.precious / 'b'
        code, out, err = self.run_root(f'apt-get install -y day && rm {b}')
        self.assert_recorded_not_stopped('apt-get install')
        self.assert_stopped(b, code, out + err)

    def test_dpkg_of_a_package_that_was_there_before(self):
        code, out, err = self.run_root(f'dpkg -i {self.deb}')
        self.assertEqual(code, 0, out + err)
        self.assert_recorded_not_stopped('dpkg -i')

    def test_a_package_that_the_session_made(self):
        code, out, err = self.run_root(f'cp {self.deb} mine.deb && dpkg -i mine.deb')
        self.assert_stopped(self.precious / 'a', code, out + err)

    def test_a_package_named_by_its_path(self):
        code, out, err = self.run_root(f'cp {self.deb} mine.deb && apt-get install -y ./mine.deb')
        self.assert_stopped(self.precious / 'a', code, out + err)

    def test_hooks_by_option_and_by_environment(self):
        a = self.precious / 'a'
        hook = f'APT::Update::Pre-Invoke {{"rm {a}";}};'
        for command in (f'apt-get -o APT::Update::Pre-Invoke::="rm {a}" update',
                        f"echo '{hook}' > hook.conf; apt-get -c hook.conf update",
                        f"echo '{hook}' > hook.conf; APT_CONFIG=hook.conf apt-get install -y day",
                        f'dpkg --pre-invoke="rm {a}" -i {self.deb}'):
            with self.subTest(command):
                code, out, err = self.run_root(command)
                self.assert_stopped(a, code, out + err)

    def test_a_configuration_that_the_session_wrote(self):
        a = self.precious / 'a'
        code, out, err = self.run_root(f'echo \'pre-invoke="rm {a}"\' > /etc/dpkg/dpkg.cfg.d/mine; dpkg -i {self.deb}')
        self.assert_stopped(a, code, out + err)

    def test_another_path(self):
        (self.world.workspace / 'bin').mkdir()
        code, out, err = self.run_root(f'export PATH=$PWD/bin:$PATH; dpkg -i {self.deb}')
        self.assert_stopped(self.precious / 'a', code, out + err)

    def test_scripts_of_the_workspace_s_own_packages(self):
        b = self.precious / 'b'
        (self.world.workspace / 'package.json').write_text(
            f'{{"name":"web","version":"1.0.0","scripts":{{"preinstall":"rm {b}"}}}}')
        code, out, err = self.run_root('npm install --offline --no-audit --no-fund --foreground-scripts')
        self.assert_stopped(b, code, out + err)


if __name__ == '__main__':
    unittest.main(verbosity=2)
