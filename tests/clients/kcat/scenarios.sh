#!/usr/bin/env bash
# Scenarios of kcat, the command line over librdkafka that Debian packages (an old librdkafka, which is the point).
# Prints `plan A B`, then `ok NAME MILLISECONDS` or `FAIL NAME: why` for each, as the Python clients do.
#
#   scenarios.sh HOST:PORT
set -uo pipefail
bootstrap=$1
run=$RANDOM$RANDOM
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

scenarios=(metadata_is_listed every_codec_comes_back keys_headers_and_tombstones_come_back offsets_are_queried_by_time
  consumer_starts_anywhere group_resumes_at_its_commit two_members_share large_records_come_back idempotent_producer_writes_in_order)

kc() { timeout 30 kcat -b "$bootstrap" -m 20 -q "$@" 2>>"$scratch/stderr"; }
fail() { echo "$*" > "$scratch/why"; return 1; }
equal() { [ "$1" = "$2" ] || fail "$3: got $(printf %.200q "$1"), wanted $(printf %.200q "$2")"; }
topic() { echo "kcat-$1-$run"; }
# Whole partition 0 of a topic, in the format given.
read_all() { kc -C -t "$1" -p 0 -o beginning -e -f "$2"; }

metadata_is_listed() {
  local t; t=$(topic meta)
  echo x | kc -P -t "$t" || fail "produce" || return
  kc -L -t "$t" > "$scratch/list" || fail "list" || return
  grep -q "topic \"$t\" with 1 partitions" "$scratch/list" || fail "$(cat "$scratch/list")" || return
  grep -q "partition 0, leader [0-9]*, replicas: [0-9]*, isrs: [0-9]*$" "$scratch/list" || fail "$(cat "$scratch/list")"
}

every_codec_comes_back() {
  local codec t; seq 1 2000 > "$scratch/in"
  for codec in none gzip snappy lz4 zstd; do
    t=$(topic "codec-$codec")
    kc -P -t "$t" -p 0 -z "$codec" -l "$scratch/in" || fail "$codec: produce" || return
    read_all "$t" '%s\n' > "$scratch/out" || fail "$codec: consume" || return
    cmp -s "$scratch/in" "$scratch/out" || fail "$codec: $(wc -l < "$scratch/out") lines, not the 2000 that were sent" || return
  done
}

keys_headers_and_tombstones_come_back() {
  local t; t=$(topic parts)
  printf 'k1:v1\nk2:\n:v3\n' | kc -P -t "$t" -p 0 -K: -Z -H a=1 -H b=2 || fail "produce" || return
  equal "$(read_all "$t" '%o|%k|%K|%s|%S|%h\n')" "$(printf '0|k1|2|v1|2|a=1,b=2\n1|k2|2||-1|a=1,b=2\n2||-1|v3|2|a=1,b=2')" "records"
}

offsets_are_queried_by_time() {
  local t; t=$(topic times)
  printf '1\n2\n3\n' | kc -P -t "$t" -p 0 || fail "produce" || return
  equal "$(kc -Q -t "$t:0:-2")" "$t [0] offset 0" "earliest" || return
  equal "$(kc -Q -t "$t:0:-1")" "$t [0] offset 3" "latest" || return
  equal "$(kc -Q -t "$t:0:1000")" "$t [0] offset 0" "a time before all"
}

consumer_starts_anywhere() {
  local t; t=$(topic start)
  seq 0 9 | kc -P -t "$t" -p 0 || fail "produce" || return
  equal "$(kc -C -t "$t" -p 0 -o 7 -e | xargs)" "7 8 9" "offset" || return
  equal "$(kc -C -t "$t" -p 0 -o -2 -e | xargs)" "8 9" "from the end" || return
  equal "$(kc -C -t "$t" -p 0 -o 3 -c 2 | xargs)" "3 4" "count" || return
  equal "$(kc -C -t "$t" -p 0 -o s@1000 -e | wc -l)" "10" "from a time" || return
  equal "$(kc -C -t "$t" -p 0 -o end -e | wc -l)" "0" "end"
}

group_resumes_at_its_commit() {
  local t g; t=$(topic resume) g=kcat-group-$run
  seq 0 99 | kc -P -t "$t" -p 0 || fail "produce" || return
  equal "$(kc -G "$g" -X auto.offset.reset=earliest -c 40 "$t" | tail -1)" "39" "first member" || return
  equal "$(kc -G "$g" -X auto.offset.reset=earliest -c 60 "$t" | xargs | cut -d' ' -f1,60)" "40 99" "second member"
}

# Members that read the same group at the same time see every record once between them.
two_members_share() {
  local t g pids=(); t=$(topic share) g=kcat-share-$run
  seq 0 499 | kc -P -t "$t" -p 0 || fail "produce" || return
  for n in 1 2; do
    kc -G "$g" -X auto.offset.reset=earliest -X session.timeout.ms=6000 -e "$t" > "$scratch/member$n" & pids+=($!)
  done
  wait "${pids[0]}"; wait "${pids[1]}"
  equal "$(sort -n -u "$scratch/member1" "$scratch/member2" | wc -l)" "500" "records seen"
}

large_records_come_back() {
  local t; t=$(topic large)
  head -c 900000 /dev/zero | tr '\0' x > "$scratch/large"
  kc -P -t "$t" -p 0 "$scratch/large" || fail "produce" || return
  equal "$(read_all "$t" '%S\n')" "900000" "size"
}

idempotent_producer_writes_in_order() {
  local t; t=$(topic idempotent)
  seq 1 20000 > "$scratch/in"
  kc -P -t "$t" -p 0 -X enable.idempotence=true -X batch.num.messages=100 -l "$scratch/in" || fail "produce" || return
  read_all "$t" '%s\n' > "$scratch/out" || fail "consume" || return
  cmp -s "$scratch/in" "$scratch/out" || fail "$(wc -l < "$scratch/out") lines, not the 20000 that were sent in order"
}

echo "version $(kcat -V 2>&1 | sed -n "s/.*Version \([0-9.]*\) .*librdkafka \([0-9.]*\).*/\1 with librdkafka \2/p")"
echo plan "${scenarios[@]}"
status=0
for name in "${scenarios[@]}"; do
  begun=$(date +%s%3N)
  : > "$scratch/stderr"
  : > "$scratch/why"
  if "$name"; then
    echo "ok $name $(($(date +%s%3N) - begun))"
  else
    status=1
    echo "FAIL $name: $(tr '\n' ' ' < "$scratch/why") $(tail -c 400 "$scratch/stderr" | tr '\n' ' ')"
  fi
done
exit $status
