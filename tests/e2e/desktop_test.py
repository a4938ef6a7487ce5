"""A hold on an owner's desktop, by a notification service that is not ours."""

import json
import os
import select
import subprocess
import sys
import unittest

from e2e import case, told

DANA, LEE = told.DANA, told.LEE

setUpModule = told.enter


DESKTOP = '''
import json, sys
import dbus, dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
DBusGMainLoop(set_as_default=True)
class Notifications(dbus.service.Object):
    last = 0
    @dbus.service.method('org.freedesktop.Notifications', in_signature='susssasa{sv}i', out_signature='u')
    def Notify(self, app, replaces, icon, summary, body, actions, hints, timeout):
        Notifications.last += 1
        shown = int(replaces) or Notifications.last
        print(json.dumps({'app': app, 'id': shown, 'replaces': int(replaces), 'summary': summary, 'body': body,
                          'actions': list(actions), 'urgency': int(hints['urgency']), 'timeout': int(timeout)}), flush=True)
        return dbus.UInt32(shown)
    @dbus.service.method('org.freedesktop.Notifications', out_signature='as')
    def GetCapabilities(self):
        return ['body', 'body-markup']
bus = dbus.SessionBus()
name = dbus.service.BusName('org.freedesktop.Notifications', bus)
Notifications(bus, '/org/freedesktop/Notifications')
print(json.dumps({'ready': True}), flush=True)
GLib.MainLoop().run()
'''


class Desktop(told.NotifyCase):
    def setUp(self):
        super().setUp()
        home = self.world.root / 'dana'
        home.mkdir()
        os.chown(home, DANA.uid, DANA.uid)
        address = f'unix:path={home}/bus'
        self.environment = {'DBUS_SESSION_BUS_ADDRESS': address, 'PATH': os.environ['PATH'], 'HOME': str(home)}
        bus = self.start(['dbus-daemon', '--session', '--nofork', '--nopidfile', f'--address={address}', '--print-address=1'])
        self.assertTrue(bus.stdout.readline())
        self.desktop = self.start([sys.executable, '-c', DESKTOP])
        self.assertEqual(self.next(), {'ready': True})

    def start(self, argv):
        process = subprocess.Popen(['setpriv', '--reuid', str(DANA.uid), '--regid', str(DANA.uid), '--clear-groups', '--',
                                    *map(str, argv)], stdout=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def notifies(self):
        return self.start([self.gate.bin / 'holdpoint', '--run', self.gate.run, 'notify-desktop'])

    def next(self):
        self.assertTrue(select.select([self.desktop.stdout], [], [], case.BOUND)[0], 'no notice came')
        return json.loads(self.desktop.stdout.readline())

    def watching(self):
        self.until_notices('somebody who watches', lambda n: n['watching'] == 1)

    def test_an_owner_sees_the_hold_and_then_the_decision_in_its_place(self):
        self.notifies()
        self.watching()
        session, ticket = self.hold()
        shown = self.next()
        self.assertIn(f'{ticket} is held: ', shown['summary'])
        self.assertIn(f'rm {self.precious}/a', shown['body'])
        self.assertEqual((shown['urgency'], shown['timeout'], shown['actions'], shown['app']), (2, 0, [], 'Holdpoint'))
        self.deny(ticket)
        denied = self.next()
        self.assertEqual(denied['summary'], f'{ticket} denied by dana')
        self.assertEqual(denied['replaces'], shown['id'])
        self.finish(session)

    def test_markup_of_a_session_is_text(self):
        self.notifies()
        self.watching()
        (self.precious / '<b>x').write_text('data', encoding='ascii')
        session = self.session(f"rm '{self.precious}/<b>x'")
        ticket = self.gate.await_hold()['ticket']
        shown = self.next()
        self.assertIn('&lt;b&gt;x', shown['body'])
        self.assertNotIn('<b>', shown['body'])
        self.deny(ticket)
        self.finish(session)

    def test_what_waits_already_is_shown_at_its_start_and_a_new_gate_is_found(self):
        session, ticket = self.hold()
        self.notifies()
        self.assertIn(ticket, self.next()['summary'])
        self.gate.stop()
        self.finish(session)
        self.gate.start()
        self.watching()
        session, second = self.hold('b')
        while second not in self.next()['summary']:
            pass
        self.deny(second)
        self.finish(session)

    def test_who_owns_nothing_here_sees_nothing(self):
        self.environment['HOME'] = '/'
        lee = subprocess.Popen(['setpriv', '--reuid', str(LEE.uid), '--regid', str(LEE.uid), '--clear-groups', '--',
                                '/usr/bin/python3', '-IB', '-c', f'''
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect({str(self.gate.run / "control.sock")!r})
s.send(struct.pack("IIII", 1, 50, 0, 0) + bytes(552 - 16))
while True:
    packet = s.recv(65536)
    if not packet:
        break
    print(packet[528:].decode(), flush=True)
'''], stdout=subprocess.PIPE, text=True)
        self.addCleanup(lee.stdout.close)
        self.addCleanup(lee.wait)
        self.addCleanup(lee.kill)
        self.assertEqual(json.loads(lee.stdout.readline()), {'watch': 'now', 'holds': []})
        self.assertEqual(json.loads(lee.stdout.readline())['watch'], 'begun')
        self.notifies()
        self.until_notices('both', lambda n: n['watching'] == 2)
        session, ticket = self.hold()
        self.assertIn(ticket, self.next()['summary'])  # dana has seen it, by the same turn of the gate
        self.deny(ticket)
        self.next()
        self.finish(session)
        self.assertEqual(select.select([lee.stdout], [], [], 0)[0], [])


if __name__ == '__main__':
    unittest.main(verbosity=2)
