/** The flags of `wherry build`: those of `docker buildx build`, one of ours, and those that only the classic builder had. */
import { parseUlimit } from '../run/devices.ts';

export const buildFlags = `
      --add-host strings              Add a custom host-to-IP mapping (format: "host:ip")
      --allow stringArray             Allow extra privileged entitlement (e.g., "network.host", "security.insecure")
      --annotation stringArray        Add annotation to the image
      --attest stringArray            Attestation parameters (format: "type=sbom,generator=image")
      --bootstrap                     Make base images here if their registry cannot be reached
      --build-arg stringArray         Set build-time variables
      --build-context stringArray     Additional build contexts (e.g., name=path)
      --builder string                Override the configured builder instance
      --cache-from stringArray        External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")
      --cache-to stringArray          Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")
      --call string                   Set method for evaluating build ("check", "outline", "targets") (default "build")
      --cgroup-parent string          Set the parent cgroup for the "RUN" instructions during build
      --check                         Shorthand for "--call=check"
      --cpu-period int                Limit the CPU CFS (Completely Fair Scheduler) period of "RUN" instructions
      --cpu-quota int                 Limit the CPU CFS (Completely Fair Scheduler) quota of "RUN" instructions
  -c, --cpu-shares int                CPU shares of "RUN" instructions (relative weight)
      --cpuset-cpus string            CPUs in which to allow execution of "RUN" instructions (0-3, 0,1)
      --cpuset-mems string            MEMs in which to allow execution of "RUN" instructions (0-3, 0,1)
  -D, --debug                         Enable debug logging
  -f, --file string                   Name of the Dockerfile (default: "PATH/Dockerfile")
      --iidfile string                Write the image ID to a file
      --label stringArray             Set metadata for an image
      --load                          Shorthand for "--output=type=docker"
  -m, --memory bytes                  Memory limit of "RUN" instructions
      --memory-swap bytes             Memory and swap limit of "RUN" instructions: -1 for unlimited swap
      --metadata-file string          Write build result metadata to a file
      --network string                Set the networking mode for the "RUN" instructions during build (default "default")
      --no-cache                      Do not use cache when building the image
      --no-cache-filter stringArray   Do not cache specified stages
  -o, --output stringArray            Output destination (format: "type=local,dest=path")
      --platform stringArray          Set target platform for build
      --print-plan                    Print what would be done, and do nothing
      --progress string               Set type of progress output ("auto", "none", "plain", "quiet", "rawjson", "tty"). Use plain to show container output (default "auto")
      --provenance string             Shorthand for "--attest=type=provenance"
      --pull                          Always attempt to pull all referenced images
      --push                          Shorthand for "--output=type=registry"
  -q, --quiet                         Suppress the build output and print image ID on success
      --sbom string                   Shorthand for "--attest=type=sbom"
      --secret stringArray            Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")
      --shm-size bytes                Shared memory size for build containers
      --ssh stringArray               SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")
  -t, --tag stringArray               Name and optionally a tag (format: "name:tag")
      --target string                 Set the target build stage to build
      --ulimit ulimit                 Ulimit options (default [])
`;

/** Accepted as Docker accepts them: what they asked for is always so, or no more. */
export const hiddenBuildFlags = `
      --compress
      --force-rm
      --isolation string
      --print string              =call
      --rm
      --security-opt strings
      --squash
`;

export const buildChecks: Readonly<Record<string, (value: string) => string | undefined>> = {
  ulimit: (value) => {
    const parsed = parseUlimit(value);
    return typeof parsed === 'string' ? parsed : undefined;
  },
};

export const progressModes = ['auto', 'none', 'plain', 'quiet', 'rawjson', 'tty'] as const;
