/** `@seance/client/node`: a WebSocket for Node 20, which has none of its own. Node 22 and browsers do not need it. */

export { NodeWebSocket } from './websocket.js';
