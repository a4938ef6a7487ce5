"""docs/bypasses.md from the tests: `table.py` writes it, `table.py --check` fails where it is not what the tests say."""

import ast
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
KERNEL = HERE.parent / 'kernel'
PAGE = HERE.parents[1] / 'docs' / 'bypasses.md'
IDS = [f'B{n:02}' for n in range(1, 43) if n not in (13, 17, 25, 27, 38)] + [f'C{n:02}' for n in range(1, 20)]
HEAD = '''# Ways round a gate

What somebody may try to get an act past Holdpoint, and what becomes of it. Every line is a test on a real kernel, with a
neighbour that must pass; `tests/bypasses/table.py` makes this page from them.

- **stopped**: the act does not happen.
- **seen**: it happens, and the record says so, or says what could not be seen.
- **declared**: it happens unseen. The test shows that, and that [threat-model.md](threat-model.md) or `holdpoint doctor`
  says it; it fails on the day this is closed, so that the line here is raised.

Numbers that are missing belong to attempts that are the same as another one. *host* is the kernel that the tests run on, with
or without BPF LSM; 6.1 and 6.12 are Debian's own in an emulator (`scripts/test --all`), which have it.

| row | what is tried | kernel | outcome | test |
| --- | --- | --- | --- | --- |
'''


def rows(source):
    """(id, tried, outcome, kernels, Class.test) of each @row in a test file; nothing of it is run."""
    for cls in (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)):
        for function in (node for node in cls.body if isinstance(node, ast.FunctionDef)):
            for call in function.decorator_list:
                if isinstance(call, ast.Call) and getattr(call.func, 'id', '') == 'row':
                    words = [a.value if isinstance(a, ast.Constant) else a.id.lower() for a in call.args]
                    yield (*words, *['host'][len(words) - 3:], f'{cls.name}.{function.name}')


def table():
    found = []
    for path in sorted([*HERE.glob('*_test.py'), *KERNEL.glob('*_test.py')]):
        found += [(*row, path.stem) for row in rows(path.read_text(encoding='utf-8'))]
    missing = sorted(set(IDS) - {row[0] for row in found})
    unknown = sorted({row[0] for row in found} - set(IDS))
    misnamed = [row[4] for row in found if not row[4].split('.')[1].startswith(f'test_{row[0]}_')]
    if missing or unknown or misnamed:
        raise SystemExit(f'no test has the ids {missing}; no such id: {unknown}; tests not named after their id: {misnamed}')
    order = {'stopped': 0, 'seen': 1, 'declared': 2}
    found.sort(key=lambda row: (row[0], order[row[2]], row[4]))
    return HEAD + ''.join(
        f'| {id_} | {tried.replace("|", chr(92) + "|")} | {kernels} | {outcome} | `{file} {test}` |\n'
        for id_, tried, outcome, kernels, test, file in found)


def main():
    page = table()
    if '--check' not in sys.argv[1:]:
        PAGE.write_text(page, encoding='utf-8')
    elif not PAGE.exists() or PAGE.read_text(encoding='utf-8') != page:
        raise SystemExit(f'{PAGE} is not what the tests say: run {pathlib.Path(__file__).name}')


if __name__ == '__main__':
    main()
