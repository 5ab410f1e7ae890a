/** Annotations of containers that the engine understands. Other engines keep them and do nothing. */

/** `true`: a container that its health check calls unhealthy is restarted. Ours ask for it; the Engine API's other clients get Docker's behaviour. */
export const restartUnhealthyAnnotation = 'io.wherry.restart-unhealthy';
