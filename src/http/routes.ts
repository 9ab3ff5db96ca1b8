import type { Route } from './route.ts';
import { aboutRoutes } from './routes/about.ts';
import { ciliumAgentRoutes } from './routes/cilium-agent.ts';
import { ciliumMapRoutes } from './routes/cilium-maps.ts';
import { containerRoutes } from './routes/containers.ts';
import { flowRoutes } from './routes/flows.ts';
import { hookRoutes } from './routes/hooks.ts';
import { loadBalancingRoutes } from './routes/load-balancing.ts';
import { networkRoutes } from './routes/networks.ts';
import { policyRoutes } from './routes/policies.ts';
import { recordRoutes } from './routes/records.ts';
import { reportRoutes } from './routes/reports.ts';
import { serviceRoutes } from './routes/service.ts';
import { settingsRoutes } from './routes/settings.ts';

/** Everything the socket serves, in the order in which paths are tried. */
export const routes: readonly Route[] = [
  ...hookRoutes,
  ...serviceRoutes,
  ...networkRoutes,
  ...loadBalancingRoutes,
  ...containerRoutes,
  ...policyRoutes,
  ...ciliumAgentRoutes,
  ...ciliumMapRoutes,
  ...recordRoutes,
  ...reportRoutes,
  ...settingsRoutes,
  ...flowRoutes,
  ...aboutRoutes,
];
