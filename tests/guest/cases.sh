# sh cases.sh FOLDER: runs its cases, prints a line for each, and switches the machine off.
. /lib/guest.sh

for case in "$1"/*; do
  name=${case##*/}
  began=$(uptime_s)
  limit_s=$(sed -n 's/^# At most \([0-9]*\) s.*/\1/p' "$case")
  # A machine that has no time for flyball, for a second, is told from one that flyball fails on: the
  # supervisor says that the governor hung. That is tried again, twice.
  for try in 1 2 3; do
    reset_board
    echo "stopped at an unexpected error" >/tmp/why
    timeout "${limit_s:-90}" sh -eu /lib/case.sh "$case" >/tmp/log 2>&1
    status=$?
    [ $status -ne 0 ] && grep -q 'hung and was stopped' /tmp/flyball.log 2>/dev/null || break
    echo "  $name: no time for flyball, for a second: again"
  done
  why=$(head -n 1 /tmp/why)
  case $status in
    0) echo "PASS $name ($(($(uptime_s) - began)) s)" ;;
    77) echo "SKIPPED $name: $why" ;;
    143) echo "FAIL $name: took too long" ;;
    *) echo "FAIL $name: $why" ;;
  esac
  if [ $status -ne 0 ] && [ $status -ne 77 ]; then
    sed "s/^/  | /" /tmp/log
    [ ! -e /tmp/flyball.log ] || tail -n 8 /tmp/flyball.log | sed "s/^/  flyball | /"
    dmesg | tail -n 4 | sed "s/^/  kernel | /"
  fi
done
echo "guest: all cases done"
poweroff -f
