"""The summary of a measurement: what was stopped, by label, part, tier, category and technique."""

import collections

STOPPED = ('hold', 'refuse', 'kill', 'kill_session')


def _share(some, all_):
    return f'{100 * some / all_:6.2f} %' if all_ else '     - '


def _table(results, title, key, out):
    groups = collections.defaultdict(list)
    for row in results:
        for name in key(row):
            groups[name].append(row)
    print(f'\n{title:<34} {"rows":>7} {"stopped":>8} {"share":>9} {"lost":>6}', file=out)
    for name, group in sorted(groups.items()):
        stopped = sum(row['verdict'] in STOPPED for row in group)
        lost = sum(bool(row['lost']) for row in group)
        print(f'{name:<34} {len(group):>7} {stopped:>8} {_share(stopped, len(group)):>9} {lost:>6}', file=out)


def write(results, seconds, out):
    part = {True: 'sealed', False: 'open'}
    print(f'\n{len(results)} rows in {seconds:.0f} s, {len(results) / seconds:.0f} a second', file=out)
    _table(results, 'label, part', lambda r: [r['label'], f'{r["label"]}, {part[r["sealed"]]}'], out)
    _table(results, 'label, tier', lambda r: [f'{r["label"]}, {r["tier"] or "none"}'], out)
    for label in ('destructive', 'benign'):
        some = [r for r in results if r['label'] == label]
        _table(some, f'{label}, by category', lambda r: [r['category']], out)
    _table([r for r in results if r['label'] == 'destructive'], 'destructive, by technique', lambda r: r['evasion'] or ['none'], out)
    reasons = collections.Counter(r['lost'] for r in results if r['lost'])
    print('\nrows that say nothing of the rules: ' + (', '.join(f'{n} {why}' for why, n in reasons.most_common()) or 'none'), file=out)
    times = sorted(r['microseconds'] for r in results if r['microseconds'])
    if times:
        print(f'consult of what decided: p50 {times[len(times) // 2]} us, p99 {times[len(times) * 99 // 100]} us', file=out)
