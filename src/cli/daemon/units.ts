/** The systemd units that `system install` writes. */

/** Containers outlive the daemon: only its own process is killed with it. */
export function serviceUnit(program: string): string {
  return `[Unit]
Description=Wherry container engine
Documentation=man:wherry(1)
After=network-online.target wherry.socket
Wants=network-online.target
Requires=wherry.socket

[Service]
Type=notify
NotifyAccess=all
ExecStart=${program}
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

export function socketUnit(path: string): string {
  return `[Unit]
Description=Wherry API socket

[Socket]
ListenStream=${path}
SocketMode=0660
SocketUser=root
SocketGroup=root
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`;
}
