#!/bin/sh
# Ordinary work of a developer in the folder it is started in: edit, build, test, look, commit. Run by bench.py with and
# without a session around it.
set -e
mkdir -p src test
git init -q .
git config user.email dev@example.com
git config user.name dev
cat > Makefile <<'M'
OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c))
app: $(OBJS)
	$(CC) -o $@ $(OBJS)
src/%.o: src/%.c
	$(CC) -O2 -Wall -c -o $@ $<
check: app
	@sh -c './app | grep -q ok'
	@for t in test/*.sh; do sh -c "test -s $$t && echo $$t" > /dev/null; done
M
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
  printf 'int f%s(int x) { return x + %s; }\n' $i $i > src/f$i.c
  printf 'echo %s\n' $i > test/t$i.sh
done
printf '#include <stdio.h>\nint main(void) { puts("ok"); return 0; }\n' > src/main.c
printf '*.o\napp\n' > .gitignore
git add .
git commit -qm first
for round in 1 2 3 4 5; do
  printf 'int g%s(int x) { return x * %s; }\n' $round $round >> src/f$round.c
  touch src/f1.c src/f2.c src/f3.c
  make -s
  make -s check
  git status --short
  git --no-pager diff --stat
  ls -la src | head -3
  grep -rn 'return x' src | wc -l
  find . -name '*.c' | sort | tail -1
  sed -n 1p src/main.c
  cat src/f1.c | tr a-z A-Z | tail -1
  git add src
  git commit -qm "change $round"
  git log --oneline | head -2
  git show --stat HEAD | tail -1
  /usr/bin/python3 -m compileall -q src
  env CI=1 make -s check
done > /dev/null
rm -f app src/*.o
