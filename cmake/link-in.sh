#!/bin/sh
# Runs a link command with the archives of Abseil and Protobuf in place of their shared libraries, where there are any. See hp_link_in.
for word; do
  shift
  case $word in
    */libabsl_*.so* | */libprotobuf.so*)
      archive=${word%%.so*}.a
      if [ -r "$archive" ]; then word=$archive; fi
      ;;
  esac
  set -- "$@" "$word"
done
exec "$@"
