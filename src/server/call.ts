/** One request as a handler sees it: parsed, versioned, with the engine it may use. */
import type { Engine } from '../api/index.ts';
import { Fault, type Logger } from '../std/index.ts';
import type { BuildDoors, RunningBuilds } from './build/doors.ts';
import type { Body } from './http/body.ts';
import type { RequestHead } from './http/head.ts';
import type { Query } from './query.ts';
import type { RequestMetrics } from './request-metrics.ts';

/** Bodies that are read whole are capped; a create body with inlined secrets and seccomp profiles stays far below. */
const maxJsonBytes = 16 << 20;

export interface CallParts {
  readonly engine: Engine;
  /** Minor number of the API version asked for. */
  readonly version: number;
  readonly head: RequestHead;
  readonly query: Query;
  readonly parameters: Readonly<Record<string, string>>;
  readonly body: Body;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  /** Whether the client is on this machine, where compressing answers only costs time. */
  readonly local: boolean;
  readonly requests: RequestMetrics;
  /** undefined where nothing can be built. */
  readonly building: (BuildDoors & { readonly running: RunningBuilds }) | undefined;
}

export class Call {
  readonly engine: Engine;
  readonly version: number;
  readonly query: Query;
  readonly body: Body;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly local: boolean;
  readonly requests: RequestMetrics;
  readonly building: CallParts['building'];
  readonly #head: RequestHead;
  readonly #parameters: Readonly<Record<string, string>>;

  constructor(parts: CallParts) {
    this.engine = parts.engine;
    this.version = parts.version;
    this.query = parts.query;
    this.body = parts.body;
    this.signal = parts.signal;
    this.logger = parts.logger;
    this.local = parts.local;
    this.requests = parts.requests;
    this.building = parts.building;
    this.#head = parts.head;
    this.#parameters = parts.parameters;
  }

  /** The `{name}` of the path. */
  get name(): string {
    return this.#parameters['name']!;
  }

  /** A request header, by its lower-case name. */
  header(name: string): string | undefined {
    return this.#head.headers.get(name);
  }

  /** The JSON body, parsed; undefined when there is none. @throws Fault invalid */
  async json(): Promise<unknown> {
    const type = this.header('content-type');
    if (type === undefined) {
      if (this.body.length === 0) return undefined;
      throw new Fault('invalid', "unsupported Content-Type header (): must be 'application/json'");
    }
    if (type.split(';')[0]!.trim().toLowerCase() !== 'application/json') {
      if (this.body.length === 0) return undefined;
      throw new Fault('invalid', `unsupported Content-Type header (${type}): must be 'application/json'`);
    }
    const text = await this.body.text(maxJsonBytes);
    if (text.trim() === '') return undefined;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Fault('invalid', `invalid JSON: ${error instanceof Error ? error.message : ''}`, { cause: error });
    }
  }

  /** The JSON body where one is required. @throws Fault invalid */
  async requiredJson(): Promise<unknown> {
    const value = await this.json();
    if (value === undefined) throw new Fault('invalid', 'invalid JSON: got EOF while reading request body');
    return value;
  }
}
