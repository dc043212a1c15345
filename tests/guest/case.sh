# sh case.sh FILE: runs one case. It passes when it comes to its end.
. /lib/guest.sh
trap end_all EXIT
. "$1"
