"""The configuration of the fixture's world, as its owners would write it."""


def text(world, hold_ms, fingerprint='', kafka=''):
    fingerprints = f'\n    fingerprints: ["{fingerprint}"]' if fingerprint else ''
    return f'''version: 1
environments:
  - name: production
    protected: true
    owners: {{approval: [dana], rollback: [lee], incident: [dana]}}
  - name: staging
    owners: {{approval: [dana], rollback: [lee], incident: [dana]}}
sessions:
  workspaces:
    - {{glob: "{world.workspace}", environment: staging}}
destinations:
  - {{hosts: ["backboard.railway.*"], environment: production}}
credentials:
  - name: railway-account-token
    environment: production
    files: ["{world.token_file}"]{fingerprints}
resources:
  - {{type: volume, id: "*", environment: production}}
limits:
  hold_ms: {hold_ms}
{kafka}'''
