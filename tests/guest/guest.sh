# What the cases share. A case calls fail or skip with the reason, or comes to its end. The machine is
# emulated and slow: nothing here expects an answer within a time that is not generous.

cpu=/sys/devices/system/cpu
big=$cpu/cpufreq/policy0    # CPUs 0-1, 500 to 2000 MHz
small=$cpu/cpufreq/policy2  # CPUs 2-3, 300 to 1200 MHz
board=/sys/module/flyball_guest/parameters

fail() { echo "$*" >/tmp/why; exit 1; }
skip() { echo "$*" >/tmp/why; exit 77; }
uptime_s() { sed 's/\..*//' /proc/uptime; }

# expect FILE VALUE
expect() {
  local value
  value=$(cat "$1") || fail "cannot read $1"
  [ "$value" = "$2" ] || fail "${1#$cpu/cpufreq/} is '$value', not '$2'"
}

# within SECONDS WHAT COMMAND...: fails with WHAT when COMMAND does not succeed by then.
within() {
  local until=$(($(uptime_s) + $1 + 1)) what=$2
  shift 2
  until "$@" 2>/dev/null; do
    [ "$(uptime_s)" -le $until ] || fail "$what"
    usleep 200000 # to look is a load, too
  done
}

reads() { [ "$(cat "$1")" = "$2" ]; }
at_least() { [ "$(cat "$1")" -ge "$2" ]; }
at_most() { [ "$(cat "$1")" -le "$2" ]; }

# All that flyball could change of the machine, a line for each.
settings() {
  local file
  for file in $cpu/cpufreq/policy*/scaling_governor $cpu/cpufreq/policy*/scaling_m??_freq \
    $cpu/cpufreq/policy*/schedutil/* $cpu/cpufreq/policy*/ondemand/* $cpu/cpufreq/policy*/conservative/*; do
    [ ! -e "$file" ] || echo "${file#$cpu/cpufreq/} $(cat "$file" 2>&1)"
  done
}

set_governor() {
  local policy
  for policy in ${2:-$big $small}; do echo "$1" >$policy/scaling_governor || fail "no governor $1 here"; done
}

is_as_before() { settings >/tmp/now; cmp -s /tmp/before /tmp/now; }

# as_before SECONDS WHEN
as_before() {
  local until=$(($(uptime_s) + $1 + 1))
  until is_as_before; do
    if [ "$(uptime_s)" -gt $until ]; then
      diff /tmp/before /tmp/now || true
      fail "$2: not as before: $(diff /tmp/before /tmp/now | grep '^[-+][a-z]' | tr '\n' ' ')"
    fi
    usleep 200000 # to look is a load, too
  done
}

# start_flyball ARGUMENT...: returns when it has written its first clock.
start_flyball() {
  settings >/tmp/before
  start_only "$@"
  within 20 "flyball has changed nothing after its start" took_over
}
start_only() {
  flyball run --platform linux "$@" >/tmp/flyball.log 2>&1 &
  governor=$!
}
took_over() { ! is_as_before; }
supervisor() { pidof flyball-supervisor; }

# stop_flyball [STATUS]
stop_flyball() {
  kill -TERM $governor
  await_end "${1:-0}"
}
await_end() {
  local status=0
  wait $governor || status=$?
  [ $status -eq "$1" ] || fail "flyball ended with $status, not $1: $(tail -n 1 /tmp/flyball.log)"
}

# busy CPU...: loads CPUs until the case ends, or idle.
busy() {
  local one
  for one in "$@"; do
    taskset -c "$one" sh -c 'while :; do :; done' &
    loads="${loads:-} $!"
  done
}
idle() { kill -9 $loads; loads=; }

end_all() {
  kill -9 $(pidof flyball flyball-supervisor) ${loads:-} 2>/dev/null || true
}

# As after the boot: what a case left is nobody's.
reset_board() {
  local file
  [ ! -d /run/systemd/system ] || systemctl stop flyball
  killall -9 flyball flyball-supervisor 2>/dev/null
  rm -rf /run/flyball /tmp/*
  for file in set_errno verify_errno set_delay_ms; do echo 0,0 >$board/$file; done
  echo 0 >$board/power_errno
  echo 40000 >$board/temp_mc
  for file in $cpu/cpu[1-3]/online; do echo 1 >"$file"; done
  until reads /sys/class/thermal/cooling_device0/cur_state 0 &&
    reads /sys/class/thermal/cooling_device1/cur_state 0; do usleep 50000; done
  for file in $big $small; do
    echo schedutil >$file/scaling_governor
    cat $file/cpuinfo_min_freq >$file/scaling_min_freq
    cat $file/cpuinfo_max_freq >$file/scaling_max_freq
    echo 10000 >$file/schedutil/rate_limit_us
  done
}
