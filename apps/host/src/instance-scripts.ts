/** What stands behind this in a command line, and the server's id, tell an instance's first process from all others. */
export const INSTANCE_MARK = 'weir-instance';

/** Every process of an instance has these rights at most, over its own network namespace. */
const CAPABILITIES = '-all,+net_admin,+net_raw';
export const DROP_RIGHTS = [
  'setpriv',
  `--bounding-set=${CAPABILITIES}`,
  `--inh-caps=${CAPABILITIES}`,
  '--no-new-privs',
  '--',
];

/** Inside an instance; nothing of the hypervisor's environment comes along. */
export const INSTANCE_ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
};

/**
 * Keeps one DHCP client per interface running; the folder is its lock. `-T 1`: the flows are there, so an answer comes at once or was
 * lost.
 */
const DHCP_CLIENT = `#!/bin/sh
mkdir "/run/weir/$1" 2> /dev/null || exit 0
while :; do
  busybox udhcpc -f -i "$1" -T 1 -t 5 -A 1 -O mtu -O staticroutes -s /run/weir/lease
  sleep 1
done
`;

/** What busybox udhcpc calls with a lease (RFC 3442: who gets option 121 ignores option 3). */
const LEASE = `#!/bin/sh
metric=\${interface#eth}
case "$1" in
deconfig)
  ip link set dev "$interface" up
  ip -4 addr flush dev "$interface"
  rm -f "/run/weir/$interface/lease" "/run/weir/$interface/resolv.conf"
  ;;
bound|renew)
  [ -z "$mtu" ] || ip link set dev "$interface" mtu "$mtu"
  ip -4 addr replace "$ip/$mask" broadcast + dev "$interface"
  if [ -n "$staticroutes" ]; then
    set -- $staticroutes
    while [ $# -ge 2 ]; do
      if [ "$2" = 0.0.0.0 ]; then ip route replace "$1" dev "$interface" metric "$metric"
      else ip route replace "$1" via "$2" dev "$interface" metric "$metric"; fi
      shift 2
    done
  elif [ -n "$router" ]; then
    ip route replace default via "\${router%% *}" dev "$interface" metric "$metric"
  fi
  {
    [ -z "$domain" ] || echo "search $domain"
    for server in $dns; do echo "nameserver $server"; done
  } > "/run/weir/$interface/resolv.conf"
  env | grep -E '^(ip|mask|router|dns|mtu|lease|serverid|staticroutes|hostname|domain)=' > "/run/weir/$interface/lease.new"
  mv "/run/weir/$interface/lease.new" "/run/weir/$interface/lease"
  ;;
esac
cat /run/weir/*/resolv.conf > /run/weir/resolv.conf.new 2> /dev/null
mv /run/weir/resolv.conf.new /run/weir/resolv.conf
`;

/** Starts the clients of these interfaces that do not run; for a shell inside the instance. */
export const START_CLIENTS = 'for interface; do setsid sh /run/weir/dhcp-client "$interface" > /dev/null 2>&1 & done';

/** The first process of a pid namespace: it inherits what others leave behind, and does nothing else. */
const FIRST_PROCESS = `shift; ${START_CLIENTS}; while :; do sleep 86400 & wait $!; done`;

/**
 * Run as the first process in new mount, pid, IPC and UTS namespaces inside the instance's network namespace, by a shell that reads this
 * from its standard input; arguments: mark, server, mount point, host name, interfaces. Makes a root of its own with nothing but
 * the system's programs, read-only. Read-only is also the root itself: what \`exec\` starts with full rights loads its libraries by it.
 */
export const INSTANCE_SETUP = `set -eu
mark=$1 server=$2 root=$3 name=$4
shift 4
# In the hypervisor's /proc: the number by which it knows us.
read -r self rest < /proc/self/stat
echo "$name" > /proc/sys/kernel/hostname
mount --make-rprivate /
mount -t tmpfs -o mode=755,nosuid,nodev,size=8m weir "$root"
cd "$root"
mkdir usr proc dev etc tmp run root var old
mount --bind /usr usr
mount -o remount,bind,ro usr
for folder in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$folder" ]; then
    ln -s "$(readlink "/$folder")" "$folder"
  elif [ -d "/$folder" ]; then
    mkdir "$folder"
    mount --bind "/$folder" "$folder"
    mount -o remount,bind,ro "$folder"
  fi
done
mount -t tmpfs -o mode=1777,nosuid,nodev,size=64m weir tmp
mount -t tmpfs -o mode=755,nosuid,nodev,size=16m weir run
mount -t tmpfs -o mode=700,nosuid,nodev,size=16m weir root
mount -t tmpfs -o mode=755,nosuid,nodev,size=16m weir var
mkdir -p run/weir run/lock var/tmp var/log dev/pts dev/shm
chmod 1777 var/tmp dev/shm
for device in null zero full random urandom tty; do
  : > "dev/$device"
  mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 weir dev/pts
ln -s pts/ptmx dev/ptmx
for file in alternatives ld.so.cache ld.so.conf ld.so.conf.d protocols services iproute2; do
  [ ! -e "/etc/$file" ] || cp -a "/etc/$file" etc/
done
echo 'root:x:0:0:root:/root:/bin/sh' > etc/passwd
echo 'nobody:x:65534:65534:nobody:/:/usr/sbin/nologin' >> etc/passwd
echo 'root:x:0:' > etc/group
echo 'nogroup:x:65534:' >> etc/group
echo 'hosts: files dns' > etc/nsswitch.conf
echo "127.0.0.1 localhost $name" > etc/hosts
echo "$name" > etc/hostname
ln -s /run/weir/resolv.conf etc/resolv.conf
ln -s /proc/self/mounts etc/mtab
: > run/weir/resolv.conf
cat > run/weir/dhcp-client << 'END'
${DHCP_CLIENT}END
cat > run/weir/lease << 'END'
${LEASE}END
chmod 755 run/weir/dhcp-client run/weir/lease
pivot_root . old
cd /
mount -t proc -o nosuid,nodev,noexec proc /proc
# Their files belong to root, who needs no right to write into his own: a core_pattern would run on the hypervisor.
for path in sys irq bus fs acpi scsi; do
  [ -d "/proc/$path" ] || continue
  mount --bind "/proc/$path" "/proc/$path"
  mount -o remount,bind,ro,nosuid,nodev,noexec "/proc/$path"
done
for path in sysrq-trigger kcore keys timer_list kallsyms kpagecount kpageflags mtrr; do
  [ ! -f "/proc/$path" ] || mount --bind /dev/null "/proc/$path"
done
umount -l /old
rmdir /old
mount -o remount,ro,nosuid,nodev /
echo "ready $self"
exec ${DROP_RIGHTS.join(' ')} sh -c '${FIRST_PROCESS}' "$mark" "$server" "$@" < /dev/null > /dev/null 2>&1
`;
