#!/usr/bin/env bash
# Plays storage.scenario against Apache Kafka's own kafka-storage and writes what it answered to
# storage.golden. Needs java, and in $KAFKA a directory with the jars of Apache Kafka 4.4.0's server.
#
# Lines of a scenario: `config NAME k=v ...` writes a properties file over the small configuration below
# (`-k` leaves a key out), `rm PATH...` and `mkdir PATH` change the directory, `run ARG...` runs the tool.
# The directory is shown as DIR and every id as ID; of an uncaught exception only its message is kept; of
# a wrong command line only that it was one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mask() {
  sed -E -e "s#$work#DIR#g" -e '/^\t(at|\.\.\.) /d' -e '/^Caused by: /d' -e 's/^Exception in thread "main" [^ ]+: //' \
    -e 's/(directory\.id|Expected|^)([= ])?[A-Za-z0-9_-]{22}([,}]|$)/\1\2ID\3/g' -e 's/, 4\.5-IV0//'
}
config() {
  local name=$1 pair; shift
  {
    for pair in process.roles=broker,controller node.id=1 \
      controller.quorum.bootstrap.servers=localhost:9093 \
      listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093 \
      controller.listener.names=CONTROLLER "log.dirs=$work/d1,$work/d2"; do
      case " $* " in *" -${pair%%=*} "*) ;; *) echo "$pair" ;; esac
    done
    for pair in "$@"; do case $pair in -*) ;; *) echo "${pair//DIR/$work}" ;; esac; done
  } > "$name"
}
while IFS= read -r line; do
  echo "> $line"
  read -ra words <<< "$line"
  case ${words[0]:-} in
    config) config "${words[@]:1}" ;;
    rm) rm -rf "${words[@]:1}" ;;
    mkdir) mkdir "${words[1]}" ;;
    run)
      code=0
      java -Xmx256M -cp "$KAFKA/*" kafka.tools.StorageTool "${words[@]:1}" > out 2> err < /dev/null || code=$?
      mask < out
      if grep -q '^usage: ' err; then echo "! wrong command line"; else mask < err | sed 's/^/! /'; fi
      echo "= $code"
      rm -f out err
      ;;
  esac
done < "$here/storage.scenario" > "$here/storage.golden"
