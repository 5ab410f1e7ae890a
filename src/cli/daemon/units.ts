/** The systemd units that `system install` writes. Pure. */

export interface ServiceFacts {
  /** Path of wherryd. */
  readonly program: string;
  readonly dataRoot: string;
  /** Path of the guide's page on operating. */
  readonly manual: string;
}

/**
 * Containers outlive the daemon: only its own process is killed with it. Most of systemd's sandboxing is left alone on purpose: mount
 * namespaces (ProtectSystem=, PrivateTmp=), seccomp (SystemCallFilter=, LockPersonality=) and NoNewPrivileges= would be inherited by
 * every container, and hide the host's files from its bind mounts.
 */
export function serviceUnit({ program, dataRoot, manual }: ServiceFacts): string {
  return `# Written by wherry system install. Changes belong into: systemctl edit wherry.service
[Unit]
Description=Wherry container engine
Documentation=file:${specifiers(encodeURI(manual))}
Requires=wherry.socket
Wants=network-online.target
# After what would flush the firewall's tables; at shutdown this order is reversed, so that containers still have their network.
After=network-online.target nss-lookup.target time-set.target wherry.socket nftables.service firewalld.service ufw.service
RequiresMountsFor=${quoted(dataRoot)}
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
NotifyAccess=main
ExecStart=${quoted(program)}
ExecReload=/bin/kill -s HUP $MAINPID
Restart=always
RestartSec=2
TimeoutStartSec=infinity
# When the machine goes down, containers are stopped in order; else they run on, and this takes a moment.
TimeoutStopSec=120
# Monitors of containers are children of the daemon: they live on without it.
KillMode=process
# Container groups are the engine's: systemd leaves them alone, and a container out of memory is not the service's end.
Delegate=yes
OOMPolicy=continue
OOMScoreAdjust=-500
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
UMask=0022
StandardOutput=journal
StandardError=journal
SyslogIdentifier=wherryd

[Install]
WantedBy=multi-user.target
`;
}

/**
 * For systemd's user manager. Containers live in groups below the service's: since systemd 254 the daemon has a group of its own
 * beside them (DelegateSubgroup=); before, it starts in a scope, for a service could not start again above groups that live on.
 */
export function userServiceUnit({
  program,
  manual,
  systemd,
}: Omit<ServiceFacts, 'dataRoot'> & { /** Its version. */ systemd: number }): string {
  const hasSubgroups = systemd >= 254;
  const start = hasSubgroups
    ? quoted(program)
    : `/usr/bin/systemd-run --user --scope --quiet --collect --property=Delegate=yes -- ${quoted(program)}`;
  return `# Written by wherry system install. Changes belong into: systemctl --user edit wherry.service
[Unit]
Description=Wherry container engine, rootless
Documentation=file:${specifiers(encodeURI(manual))}
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
${hasSubgroups ? 'Type=notify\nNotifyAccess=all\nDelegate=yes\nDelegateSubgroup=wherryd' : 'Type=exec'}
ExecStart=${start}
ExecReload=/bin/kill -s HUP $MAINPID
Restart=always
RestartSec=2
TimeoutStartSec=infinity
TimeoutStopSec=120
# Containers, their namespaces and ports live on without the daemon.
KillMode=process
OOMPolicy=continue
TasksMax=infinity
UMask=0022
SyslogIdentifier=wherryd

[Install]
WantedBy=default.target
`;
}

/** @param group may use the engine, which is as good as root */
export function socketUnit({ path, group }: { path: string; group: string }): string {
  return `# Written by wherry system install. Changes belong into: systemctl edit wherry.socket
[Unit]
Description=Wherry API socket

[Socket]
ListenStream=${specifiers(path)}
SocketMode=0660
SocketUser=root
SocketGroup=${specifiers(group)}
DirectoryMode=0755
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`;
}

/** One word of a unit's line, whatever is in it (systemd.syntax(7)). */
function quoted(text: string): string {
  const safe = specifiers(text);
  return /^[\w./:@%+-]+$/.test(safe) ? safe : `"${safe.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

function specifiers(text: string): string {
  return text.replaceAll('%', '%%');
}
