/** What Wherry says it is: its own version, and the Docker Engine that clients take it for (engine-api.md §1.0). */

export const wherryVersion = '0.1.0';
/** Clients parse it and expect a Docker-like number. */
export const productVersion = '28.5.2';
export const apiVersion = '1.51';
export const minApiVersion = '1.24';
