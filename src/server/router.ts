/** Finds the endpoint of a request on its decoded path. `{x}` takes slashes; a fixed path wins over one with parameters. */
import { type Endpoint, type EndpointKey, endpoints, swarmRoots } from '../api/index.ts';

export interface Route {
  readonly key: EndpointKey;
  readonly endpoint: Endpoint;
  readonly parameters: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly key: EndpointKey;
  readonly endpoint: Endpoint;
  readonly expression: RegExp;
}

export class Router {
  readonly #fixed = new Map<string, Route>();
  readonly #patterns = new Map<string, Pattern[]>();

  constructor() {
    for (const [key, endpoint] of Object.entries(endpoints) as [EndpointKey, Endpoint][]) {
      if (!endpoint.path.includes('{')) {
        this.#fixed.set(`${endpoint.method} ${endpoint.path}`, { key, endpoint, parameters: {} });
        continue;
      }
      const bucket = `${endpoint.method} ${root(endpoint.path)}`;
      const patterns = this.#patterns.get(bucket) ?? [];
      patterns.push({ key, endpoint, expression: expressionOf(endpoint.path) });
      this.#patterns.set(bucket, patterns);
    }
    // The longest pattern first: "/images/{name}/json" before "/images/{name}".
    for (const patterns of this.#patterns.values()) {
      patterns.sort((a, b) => b.endpoint.path.length - a.endpoint.path.length);
    }
  }

  find(method: string, path: string): Route | undefined {
    const fixed = this.#fixed.get(`${method} ${path}`);
    if (fixed !== undefined) return fixed;
    for (const { key, endpoint, expression } of this.#patterns.get(`${method} ${root(path)}`) ?? []) {
      const match = expression.exec(path);
      if (match !== null) return { key, endpoint, parameters: match.groups ?? {} };
    }
    return undefined;
  }
}

/** Whether a path belongs to the swarm API, which is answered as one. */
export function isSwarmPath(path: string): boolean {
  return swarmRoots.includes(root(path));
}

function root(path: string): string {
  const end = path.indexOf('/', 1);
  return end < 0 ? path.slice(1) : path.slice(1, end);
}

function expressionOf(path: string): RegExp {
  const escaped = path.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll(/\{(\w+)\}/g, '(?<$1>.+)')}$`, 's');
}
