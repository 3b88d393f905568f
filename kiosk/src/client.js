/** The page's side of the worker: questions as promises. */

export class Client {
  /** Start the worker; `ready` resolves to what `model.json` holds. */
  constructor() {
    this.worker = new Worker(new URL('worker.js', import.meta.url));
    this.waiting = new Map();
    this.count = 0;
    this.ready = new Promise((resolve, reject) => {
      this.worker.onmessage = ({data}) => {
        if (data.kind === 'ready') resolve(data.description);
        else if (data.kind === 'broken') reject(new Error(data.message));
        else this.#hear(data);
      };
      this.worker.onerror = (event) => reject(new Error(event.message ?? 'worker'));
    });
  }

  #hear({kind, id, found, share, reason, message}) {
    const {resolve, reject, onProgress} = this.waiting.get(id);
    if (kind === 'progress') {
      onProgress?.(share);
      return;
    }
    this.waiting.delete(id);
    if (kind === 'done') resolve(found);
    else reject(Object.assign(new Error(message), {reason}));
  }

  /**
   * Ask the worker.
   *
   * @param {'classify' | 'explain'} task
   * @param {object} given As the task takes it.
   * @param {{onProgress?: (share: number) => void, signal?: AbortSignal}} [how]
   */
  ask(task, given, {onProgress, signal} = {}) {
    const id = ++this.count;
    signal?.addEventListener('abort', () => {
      this.worker.postMessage({task: 'cancel', given: {id}});
    });
    return new Promise((resolve, reject) => {
      this.waiting.set(id, {resolve, reject, onProgress});
      this.worker.postMessage({id, task, given});
    });
  }
}
