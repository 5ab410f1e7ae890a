/** The systemd units that `system install` writes. Same input, same text: what is installed can be compared with them. */

/**
 * Containers outlive the daemon: only its own process is killed with it, and their groups below its own are left to it. It is
 * started again whenever it ends, without a limit of tries, because after a mended setting nobody should have to reset it.
 */
export function serviceUnit(program: string): string {
  return `[Unit]
Description=Wherry container engine
After=network-online.target nss-lookup.target time-set.target wherry.socket
Wants=network-online.target
Requires=wherry.socket
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
ExecStart=${quoted(program)}
ExecReload=/bin/kill -s HUP $MAINPID
Restart=always
RestartSec=2
KillMode=process
Delegate=yes
OOMScoreAdjust=-500
LimitNOFILE=1048576
LimitNPROC=infinity
TasksMax=infinity
TimeoutStartSec=0

[Install]
WantedBy=multi-user.target
`;
}

/** @param group who may use the socket beside root; systemd refuses a group that is not there. */
export function socketUnit(path: string, group: string): string {
  return `[Unit]
Description=Wherry API socket

[Socket]
ListenStream=${path}
SocketMode=0660
SocketUser=root
SocketGroup=${group}
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`;
}

/** The daemon's own rule for sockets it makes itself: Docker's group where there is one. @param groups the text of /etc/group */
export function socketGroup(groups: string): string {
  return /^docker:/m.test(groups) ? 'docker' : 'root';
}

/** A path as systemd reads it: specifiers and variables are none, spaces are part of it (systemd.syntax(7)). */
function quoted(path: string): string {
  const plain = path.replaceAll('%', '%%').replaceAll('$', () => '$$');
  return /^[\w./%+$@:-]+$/.test(plain) ? plain : `"${plain.replaceAll(/["\\]/g, '\\$&')}"`;
}
