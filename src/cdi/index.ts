export { type CdiListing, CdiDevices, type CdiProblem } from './devices.ts';
export { isKind, parseDeviceName } from './names.ts';
export {
  type ContainerEdits,
  type DeviceNode,
  type EditMount,
  type Hook,
  hookNames,
  joinEdits,
  noEdits,
} from './specification.ts';
