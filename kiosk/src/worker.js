// A classic worker: LiteRT.js loads its runtime by importScripts, which module workers lack.
import('./answers.js').catch((error) => postMessage({kind: 'broken', message: String(error)}));
