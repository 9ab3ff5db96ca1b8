import type { ErrorCode } from '../../model/error-codes.ts';
import { fileReceipt, settingsDetail, textRequest } from '../../model/panel-api.ts';
import { route } from '../route.ts';

/** What keeps a text from being written. */
export const ofTexts: readonly ErrorCode[] = [
  'CONFIG_SYNTAX',
  'CONFIG_INVALID',
  'UNSUPPORTED',
  'CONFIG_DUPLICATE',
  'CONFLICT',
  'CONFIG_UNAVAILABLE',
];

export const settingsRoutes = [
  route({
    method: 'get',
    path: '/v1/settings',
    tag: 'settings',
    summary: 'The settings of the cluster, and the text of their file',
    answer: settingsDetail,
    handle: ({ manager }) => manager.settings(),
  }),
  route({
    method: 'put',
    path: '/v1/settings',
    tag: 'settings',
    summary: 'Write the file of the settings; nothing is written when it would not serve',
    body: textRequest,
    answer: fileReceipt,
    errors: ofTexts,
    handle: ({ manager }, { body, requester }) => manager.applySettings(body, requester),
  }),
];
