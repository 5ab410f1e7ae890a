/** Base images from the host's own package sources, where no registry answers. */
export { Bootstrap, type BootstrapOptions } from './bootstrap.ts';
export { fallingBack } from './fall-back.ts';
export { thisHost } from './ingredients.ts';
