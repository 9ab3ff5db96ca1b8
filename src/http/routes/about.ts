import { z } from 'zod';
import { route } from '../route.ts';

/** What monitoring and tools read; served at any time. */
export const aboutRoutes = [
  route({
    method: 'get',
    path: '/metrics',
    tag: 'about',
    summary: 'Metrics in the text format of Prometheus',
    answer: z.object({ contentType: z.string(), text: z.string() }),
    media: ['text/plain'],
    asText: (page) => page,
    always: true,
    handle: ({ metrics }) => metrics(),
  }),
  route({
    method: 'get',
    path: '/openapi.json',
    tag: 'about',
    summary: 'This description of the API',
    answer: z.looseObject({}).meta({ description: 'OpenAPI 3.1' }),
    always: true,
    handle: async ({ openApi }) => ({ ...openApi() }),
  }),
];
