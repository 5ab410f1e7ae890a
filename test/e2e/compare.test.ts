/** The same commands on the reference dockerd and on Wherry: output and exit codes compared. */
