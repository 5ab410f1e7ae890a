/** What is to be done, as data: each step says why, and which steps must be done before it. */
import type { Container } from '../observe.ts';
import type { Network, Service, Volume } from '../project.ts';

export type Step = {
  /** "Container app-web-1": one line of progress. */
  subject: string;
  /** Completes "… because". */
  because: string;
  /** Done before; a step that fails takes those that need it along. */
  needs: readonly Step[];
} & Action;

export type Action =
  | { kind: 'network-create'; key: string; network: Network }
  | { kind: 'network-remove'; network: { name: string; id: string } }
  | { kind: 'volume-create'; key: string; volume: Volume }
  | { kind: 'volume-remove'; name: string }
  | { kind: 'image-remove'; image: string }
  | { kind: 'container-create'; service: Service; number: number; replaced?: Container; inherit: boolean }
  | { kind: 'container-rename'; container: Container; name: string }
  | { kind: 'container-start'; service: Service; which: Which; isRestart: boolean }
  | { kind: 'container-stop'; container: Container; service: Service | undefined; timeout: number | undefined }
  | { kind: 'container-kill'; container: Container; signal: string }
  | { kind: 'container-pause' | 'container-unpause'; container: Container }
  | { kind: 'container-restart'; container: Container; service: Service | undefined; timeout: number | undefined }
  | {
      kind: 'container-remove';
      container: Container;
      service: Service | undefined;
      /** Running ones are stopped first. */
      stop: boolean;
      timeout: number | undefined;
      volumes: boolean;
    }
  | { kind: 'wait'; wait: Wait }
  | { kind: 'provide'; service: Service; verb: 'up' | 'down' | 'stop' }
  | { kind: 'keep'; container: Container };

/** One that is there, or one that a step makes. */
export type Which = { container: Container } | { made: Step };

export interface Wait {
  service: string;
  condition: WaitCondition;
  /** Undefined: a dependency whose failure is only said. */
  required: boolean;
  which: readonly Which[];
}

export type WaitCondition = 'service_healthy' | 'service_completed_successfully' | 'running_or_healthy';

/** What `--dry-run` calls a step. */
export function verbOf(step: Step): string {
  if (step.kind === 'container-create' && step.replaced !== undefined) return 'recreate';
  if (step.kind === 'container-start' && step.isRestart) return 'restart';
  if (step.kind === 'wait') return 'wait';
  if (step.kind === 'provide') return step.verb;
  return step.kind.replace(/^\w+-/, '');
}

/** Whether a step changes anything. */
export function isChange({ kind }: Step): boolean {
  return kind !== 'keep' && kind !== 'wait';
}

export function containerSubject(name: string): string {
  return `Container ${name}`;
}
