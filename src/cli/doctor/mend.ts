/** Commands that several checks advise. */

/** Now and after the next boot. */
export function setSysctl(name: string, value: string | number): string {
  return `echo ${name}=${value} | sudo tee -a /etc/sysctl.d/60-wherry.conf && sudo sysctl --system`;
}

export function install(...packages: string[]): string {
  return `sudo apt-get install ${packages.join(' ')}`;
}

/** Changes of daemon.json are read when the daemon starts. */
export function setDaemon(json: string): string {
  return `Set ${json} in /etc/wherry/daemon.json, then: sudo systemctl restart wherry`;
}
