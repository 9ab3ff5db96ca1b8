import type { Client, ClientReadableStream } from '@grpc/grpc-js';
import { failure } from '../model/errors.ts';
import type { Flow, FlowLossPlace } from '../model/flow.ts';
import { policyReasons } from './drop-reasons.ts';
import { type AddressOwner, flowOf, lossOf, msOf } from './hubble-flow.ts';
import { hubbleProtocol, type RawFlow, type RawLoss, type RawTime } from './hubble-protocol.ts';

/** Hubble of this node's agent, over its socket. What it says is untrusted: decoded by what the protocol says, and bounded in size, time
 *  and rate. */

/** What comes from Hubble while it is followed. */
export interface HubbleListener {
  flow(flow: Flow): void;
  lost(place: FlowLossPlace, count: number): void;
}

/** What Hubble remembers from before. */
export interface HubbleMemory {
  /** epoch ms: when it began */
  startedAt: number;
  /** epoch ms: time of the oldest flow that it has, null when it has none */
  oldest: number | null;
  /** whether older ones have been overwritten */
  overwritten: boolean;
}

export interface Hubble {
  /** @throws CNIError CILIUM_UNAVAILABLE */
  memory(): Promise<HubbleMemory>;
  /** Tells `listener` of all flows from `since` (epoch ms) on. Ends when `signal` aborts. @throws CNIError CILIUM_UNAVAILABLE when the
   *  connection ends in any other way */
  follow(options: { since: number; listener: HubbleListener; signal: AbortSignal }): Promise<void>;
  close(): void;
}

/** Faster than this flows are not read: Hubble keeps its own ring of them, and counts what is overwritten there before it was read. So a
 *  flood costs the service neither memory nor more than a bounded share of its time. */
const defaultFlowsPerSecond = 2000;
const sliceMs = 50;

const callTimeoutMs = 5000;
const maxMessageBytes = 256 * 1024;

/** What is asked for: drops, but for those by policies, which the verdicts of policies tell of with names; verdicts of policies; what was
 *  let through where no policy had to decide, at the points where it leaves for somewhere; content, as far as a proxy sees it. Not
 *  replies: they say nothing about who may reach whom. Types: pkg/monitor/api/types.go, TraceTo* of datapath_trace.go. */
const event = (type: number) => ({ type });
const trace = (subType: number) => ({ type: 4, matchSubType: true, subType });
const asked = {
  whitelist: [
    { eventType: [event(1), event(5)] },
    { eventType: [trace(0), trace(1), trace(2), trace(3), trace(4), event(129)], reply: [false] },
  ],
  blacklist: [{ eventType: [event(1)], dropReasonDesc: [...policyReasons] }],
};

type Answer = { flow?: RawFlow | null; lostEvents?: RawLoss | null };
type Status = { numFlows?: number; maxFlows?: number; uptimeNs?: number };
interface Stub extends Client {
  ServerStatus(request: object, options: { deadline: number }, done: (error: Error | null, status?: Status) => void): void;
  GetFlows(request: object, options?: { deadline: number }): ClientReadableStream<Answer>;
}

export interface HubbleOptions {
  socket: string;
  ownerOf: AddressOwner;
  clock: () => number;
  flowsPerSecond?: number;
}

/** Connects. gRPC is loaded here and not before, since most nodes never need it. */
export async function connectHubble({ socket, ownerOf, clock, flowsPerSecond = defaultFlowsPerSecond }: HubbleOptions): Promise<Hubble> {
  const { credentials, loadPackageDefinition } = await import('@grpc/grpc-js');
  const { fromJSON } = await import('@grpc/proto-loader');
  const loaded = loadPackageDefinition(fromJSON(hubbleProtocol as Parameters<typeof fromJSON>[0], { longs: Number }));
  // the protocol above says that this is there, and what it can be asked
  const { Observer } = loaded.observer as unknown as { Observer: new (...given: unknown[]) => Stub };
  const stub = new Observer(`unix:${socket}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': maxMessageBytes,
    // connecting again is the caller's business, who wants to know of it
    'grpc.enable_retries': 0,
    // each agent's life is another peer: no connection is shared or kept
    'grpc.use_local_subchannel_pool': 1,
  });
  const unavailable = (error: Error) =>
    failure(
      'CILIUM_UNAVAILABLE',
      `cannot hear flows from Hubble at ${socket}: ${error.message}; see pve-cni cilium status`,
      { path: socket },
      error,
    );

  return {
    async memory() {
      const deadline = Date.now() + callTimeoutMs;
      const status = await new Promise<Status>((resolve, reject) =>
        stub.ServerStatus({}, { deadline }, (error, answer) => (error ? reject(unavailable(error)) : resolve(answer ?? {}))),
      );
      const { numFlows = 0, maxFlows = 0, uptimeNs = 0 } = status;
      return {
        startedAt: clock() - uptimeNs / 1e6,
        oldest: await oldestFlow(stub, deadline).catch((error: Error) => Promise.reject(unavailable(error))),
        overwritten: numFlows >= maxFlows,
      };
    },
    follow({ since, listener, signal }) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return resolve();
        const call = stub.GetFlows({ follow: true, since: timeOf(since), ...asked });
        const pace = createPace(call, flowsPerSecond);
        const stop = () => call.cancel();
        signal.addEventListener('abort', stop, { once: true });
        const end = (error: Error | null) => {
          pace.end();
          signal.removeEventListener('abort', stop);
          if (signal.aborted || !error) return resolve();
          reject(unavailable(error));
        };
        call.on('data', ({ flow: raw, lostEvents }: Answer) => {
          pace.count();
          if (lostEvents) {
            const { place, count } = lossOf(lostEvents);
            listener.lost(place, count);
          }
          const flow = raw && flowOf(raw, ownerOf);
          if (flow) listener.flow(flow);
        });
        call.on('error', end);
        call.on('end', () => end(new Error('it ended the stream')));
      });
    },
    close: () => stub.close(),
  };
}

/** Time of the first flow in the ring. */
function oldestFlow(stub: Stub, deadline: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const call = stub.GetFlows({ number: 1, first: true }, { deadline });
    let oldest: number | null = null;
    call.on('data', ({ flow }: Answer) => {
      oldest ??= msOf(flow?.time);
    });
    call.on('error', reject);
    call.on('end', () => resolve(oldest));
  });
}

/** Lets a stream rest for the remainder of a slice of time in which enough has come. */
function createPace(stream: ClientReadableStream<Answer>, perSecond: number) {
  const perSlice = Math.max(1, Math.round((perSecond * sliceMs) / 1000));
  let came = 0;
  let slice: NodeJS.Timeout | null = null;
  const next = () => {
    slice = null;
    came = 0;
    stream.resume();
  };
  return {
    count() {
      came += 1;
      slice ??= setTimeout(next, sliceMs);
      if (came >= perSlice) stream.pause();
    },
    end: () => clearTimeout(slice ?? undefined),
  };
}

function timeOf(ms: number): RawTime {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) };
}
